//! What ships of the sources, read as Rust reads it: what is compiled for tests only is left out, and a name is what it was
//! imported as.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::Source;

/// What code names: an item by its whole path, or a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// `crate`, a room and on, or a crate and on. A glob ends in `*`.
    Path(Vec<String>),
    Macro(String),
}

/// A function, from its first line to its last.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// What one file ships.
pub(crate) struct Shipped {
    pub(crate) path: String,
    /// Each with its line.
    pub(crate) names: Vec<(Name, usize)>,
    pub(crate) functions: Vec<Function>,
    /// Types that others than their own file may name.
    pub(crate) types: Vec<String>,
}

impl Shipped {
    /// The first folder or file below `src/`.
    pub(crate) fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or_default();
        below.split(['/', '.']).next().unwrap_or_default()
    }
}

/// All files of `src/` that ship.
pub(crate) fn shipped(sources: &[Source]) -> Vec<Shipped> {
    let parsed: Vec<(&Source, syn::File)> = sources
        .iter()
        .filter(|source| source.path.starts_with("src/"))
        .map(|source| {
            let file = syn::parse_file(&source.text);
            (source, file.expect("a source file is Rust"))
        })
        .collect();
    let of_tests: HashSet<Vec<String>> = parsed
        .iter()
        .flat_map(|(source, file)| modules_of_tests(&source.path, file))
        .collect();
    parsed
        .iter()
        .filter(|(source, _)| {
            let module = module(&source.path);
            !(1..=module.len()).any(|end| of_tests.contains(&module[..end]))
        })
        .map(|(source, file)| read(&source.path, file))
        .collect()
}

/// What this text ships, as if it were that file.
pub(crate) fn read_text(path: &str, text: &str) -> Shipped {
    read(path, &syn::parse_file(text).expect("it is Rust"))
}

fn read(path: &str, file: &syn::File) -> Shipped {
    let mut reader = Reader {
        module: module(path),
        imported: HashMap::new(),
        shipped: Shipped {
            path: path.to_owned(),
            names: Vec::new(),
            functions: Vec::new(),
            types: Vec::new(),
        },
    };
    reader.visit_file(file);
    let Reader {
        imported,
        mut shipped,
        ..
    } = reader;
    for (name, _) in &mut shipped.names {
        if let Name::Path(path) = name
            && let Some(whole) = imported.get(&path[0])
        {
            path.splice(..1, whole.iter().cloned());
        }
    }
    shipped
}

/// The path of the module that a file holds.
fn module(path: &str) -> Vec<String> {
    let below = path.strip_prefix("src/").unwrap_or(path);
    let below = below.strip_suffix(".rs").unwrap_or(below);
    let below = below.strip_suffix("/mod").unwrap_or(below);
    let mut module = vec!["crate".to_owned()];
    if below != "main" {
        module.extend(below.split('/').map(str::to_owned));
    }
    module
}

/// Modules that are compiled for tests only; what is in them may be in files of its own.
fn modules_of_tests(path: &str, file: &syn::File) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for item in &file.items {
        if let syn::Item::Mod(item) = item
            && for_tests(&item.attrs)
        {
            let mut whole = module(path);
            whole.push(item.ident.to_string());
            found.push(whole);
        }
    }
    found
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|what| what.is_ident("test"))
    })
}

/// The name of a type, if others may say it.
fn public_type(item: &syn::Item) -> Option<String> {
    let (visibility, name) = match item {
        syn::Item::Enum(item) => (&item.vis, &item.ident),
        syn::Item::Struct(item) => (&item.vis, &item.ident),
        syn::Item::Trait(item) => (&item.vis, &item.ident),
        syn::Item::Type(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    let is_public = !matches!(visibility, syn::Visibility::Inherited);
    is_public.then(|| name.to_string())
}

struct Reader {
    module: Vec<String>,
    /// What stands for what, as `use` says.
    imported: HashMap<String, Vec<String>>,
    shipped: Shipped,
}

impl Reader {
    fn name(&mut self, name: Name, at: Span) {
        self.shipped.names.push((name, at.start().line));
    }

    /// A path as it is written; `self`, `super` and `crate` as what they mean here.
    fn path(&mut self, segments: &[String], at: Span) {
        let whole = self.whole(segments);
        self.name(Name::Path(whole), at);
    }

    fn whole(&self, segments: &[String]) -> Vec<String> {
        let mut base = self.module.clone();
        let mut rest = segments;
        let mut relative = false;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            relative = true;
            rest = after;
        }
        if relative {
            base.extend_from_slice(rest);
            base
        } else {
            segments.to_vec()
        }
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let mut path = before.to_vec();
        match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.import(&tree.tree, &path);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
            }
            syn::UseTree::Glob(_) => {
                path.push("*".to_owned());
                self.path(&path, tree.span());
            }
            syn::UseTree::Name(name) => self.bring_in(path, &name.ident, &name.ident),
            syn::UseTree::Rename(name) => self.bring_in(path, &name.ident, &name.rename),
        }
    }

    fn bring_in(&mut self, mut path: Vec<String>, what: &syn::Ident, name: &syn::Ident) {
        let itself = what == "self";
        if !itself {
            path.push(what.to_string());
        }
        let called = if itself && name == "self" {
            path.last().cloned().unwrap_or_default()
        } else {
            name.to_string()
        };
        self.path(&path, what.span());
        let whole = self.whole(&path);
        self.imported.insert(called, whole);
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        self.shipped.functions.push(Function {
            name: signature.ident.to_string(),
            lines,
        });
    }

    /// What is handed to a macro is no tree yet: a path is known by its looks.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    at += 1;
                }
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    let mut end = at + 1;
                    while let Some(next) = after_colons(&tokens[end..]) {
                        path.push(next);
                        end += 3;
                    }
                    let of_a_value = at > 0 && is_punct(&tokens[at - 1], '.');
                    let is_macro = tokens.get(end).is_some_and(|token| is_punct(token, '!'))
                        && !tokens
                            .get(end + 1)
                            .is_some_and(|token| is_punct(token, '='));
                    if is_macro {
                        self.name(Name::Macro(path.pop().unwrap_or_default()), first.span());
                    } else if !of_a_value {
                        self.path(&path, first.span());
                    }
                    at = end;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }
}

/// The name behind `::`, if these tokens begin so.
fn after_colons(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [first, second, TokenTree::Ident(name), ..]
            if is_punct(first, ':') && is_punct(second, ':') =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            self.shipped.types.extend(public_type(item));
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.path(&segments, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|s| s.ident.to_string());
        self.name(Name::Macro(name.unwrap_or_default()), call.path.span());
        self.tokens(call.tokens.clone());
    }

    /// Nothing that runs.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}
