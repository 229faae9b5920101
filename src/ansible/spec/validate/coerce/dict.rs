//! A dictionary written as `key=value` pairs, separated by commas or blanks, with quotes and
//! backslashes. Ansible's own rules: a shell's splitting would treat quotes and commas differently.

use super::{Given, set};

/// Reads the pairs; the last of two equal keys wins.
pub(super) fn from_pairs(text: &str) -> Result<Given, String> {
    let mut entries = Vec::new();
    for field in fields(text) {
        let (key, value) = field.split_once('=').ok_or_else(|| {
            "unable to evaluate string in the \"key=value\" format as dictionary".to_owned()
        })?;
        set(&mut entries, key, Given::Str(value.to_owned()));
    }
    Ok(Given::Dict(entries))
}

fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => field.extend(characters.next()),
            ('\'' | '"', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            (',' | ' ', None) => fields.push(std::mem::take(&mut field)),
            _ => field.push(character),
        }
    }
    fields.push(field);
    fields.retain(|field| !field.is_empty());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<String> {
        from_pairs(text).ok().map(|dict| dict.repr())
    }

    #[test]
    fn pairs_with_commas_blanks_quotes_and_backslashes() {
        for (text, dict) in [
            ("k=v", "{'k': 'v'}"),
            ("k=v,k2=v2", "{'k': 'v', 'k2': 'v2'}"),
            ("k=v, k2=v2", "{'k': 'v', 'k2': 'v2'}"),
            ("k=v k2=\"a b\"", "{'k': 'v', 'k2': 'a b'}"),
            ("k='a,b' j=c\\ d", "{'k': 'a,b', 'j': 'c d'}"),
            ("k=a=b", "{'k': 'a=b'}"),
            ("k=1 j=2 k=3", "{'k': '3', 'j': '2'}"),
            ("k='open end", "{'k': 'open end'}"),
            ("=", "{'': ''}"),
            ("k=v\\", "{'k': 'v'}"),
        ] {
            assert_eq!(pairs(text).as_deref(), Some(dict), "{text}");
        }
        assert_eq!(pairs("k=v, k2"), None);
    }
}
