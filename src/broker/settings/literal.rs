//! Python literals, read and never executed: strings, numbers, `True`, `False`, `None`, lists, tuples and
//! dicts, nested. What is anything else, such as a call, becomes [`Value::Unknown`] by itself and leaves what
//! stands beside it readable. Crates that parse Python bring the whole grammar, which is more than this binary.

/// A value of the settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nothing,
    Bool(bool),
    /// In digits, as written.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Dict(Vec<(String, Value)>),
    /// It is computed when Pulp starts.
    Unknown,
}

impl Value {
    /// A part of a dict. A dict with a key that cannot be read, or that is merged with another, may have it.
    pub(super) fn at(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(entries) => {
                let found = entries
                    .iter()
                    .rev()
                    .find(|(k, _)| k == key || k == COMPUTED);
                found.map(|(_, value)| value)
            }
            Self::Unknown => Some(&Self::Unknown),
            _ => None,
        }
    }
}

/// The key that stands for one that is computed.
const COMPUTED: &str = "\0";

/// Where the reading is.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    /// How many brackets are open: within them a line's end is nothing.
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            depth: 0,
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// One value up to whatever ends it: a comma or a bracket, a colon within brackets, else the line's end.
    pub(super) fn value(&mut self) -> Value {
        let value = self.atom().unwrap_or(Value::Unknown);
        self.blank();
        if self.at_end() {
            return value;
        }
        self.skip();
        Value::Unknown
    }

    fn at_end(&self) -> bool {
        match self.rest.chars().next() {
            None | Some(',' | ')' | ']' | '}') => true,
            Some(':') => self.depth > 0,
            Some('\n' | ';') => self.depth == 0,
            Some(_) => false,
        }
    }

    fn bump(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.rest.starts_with(wanted);
        if is_there {
            self.bump(wanted.len_utf8());
        }
        is_there
    }

    /// Blanks, comments and the ends of lines that end nothing.
    pub(super) fn blank(&mut self) {
        loop {
            let before = self.rest;
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if let Some(after) = self.rest.strip_prefix("\\\n") {
                self.rest = after;
            }
            if self.rest.starts_with('#') {
                self.bump(self.rest.find('\n').unwrap_or(self.rest.len()));
            }
            if self.depth > 0 {
                self.rest = self.rest.trim_start_matches('\n');
            }
            if self.rest == before {
                return;
            }
        }
    }

    /// Over what cannot be read, with its brackets and strings.
    pub(super) fn skip(&mut self) {
        let mut open = 0_usize;
        loop {
            self.blank();
            if open == 0 && self.at_end() {
                return;
            }
            match self.rest.chars().next() {
                None => return,
                Some('(' | '[' | '{') => open += 1,
                Some(')' | ']' | '}') => open -= 1,
                Some('"' | '\'') => {
                    if self.quoted(false).is_none() {
                        self.rest = "";
                    }
                    continue;
                }
                Some(_) => {}
            }
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            self.bump(first);
        }
    }

    fn atom(&mut self) -> Option<Value> {
        self.blank();
        match self.rest.chars().next()? {
            '"' | '\'' => self.text(),
            '[' => self.list(']').map(|(all, _)| Value::List(all)),
            '(' => self.list(')').map(|(mut all, comma)| {
                if all.len() == 1 && !comma {
                    all.remove(0)
                } else {
                    Value::List(all)
                }
            }),
            '{' => self.dict(),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            first if first.is_alphabetic() || first == '_' => self.word(),
            _ => None,
        }
    }

    /// A name, or the letters before a string.
    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !is_name(c));
        let word = &self.rest[..end.unwrap_or(self.rest.len())];
        let quotes = self.rest[word.len()..].starts_with(['"', '\'']);
        match (word, quotes) {
            ("u" | "U" | "r" | "R", true) => self.text(),
            ("True", false) => Some(self.taken(word, Value::Bool(true))),
            ("False", false) => Some(self.taken(word, Value::Bool(false))),
            ("None", false) => Some(self.taken(word, Value::Nothing)),
            _ => None,
        }
    }

    fn taken(&mut self, word: &str, value: Value) -> Value {
        self.bump(word.len());
        value
    }

    fn number(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | '_'));
        let digits = self.rest[..end.unwrap_or(self.rest.len())].replace('_', "");
        self.bump(end.unwrap_or(self.rest.len()));
        digits.parse::<f64>().ok().map(|_| Value::Number(digits))
    }

    /// Strings that stand beside each other are one.
    fn text(&mut self) -> Option<Value> {
        let mut text = String::new();
        loop {
            let letter = self.rest.chars().next().filter(|c| "uUrR".contains(*c));
            let quoted = &self.rest[letter.map_or(0, char::len_utf8)..];
            if !quoted.starts_with(['"', '\'']) {
                return Some(Value::Text(text));
            }
            self.rest = quoted;
            text.push_str(&self.quoted(matches!(letter, Some('r' | 'R')))?);
            self.blank();
        }
    }

    /// One string in its quotes.
    fn quoted(&mut self, raw: bool) -> Option<String> {
        let one = self.rest.get(..1)?;
        let three = one.repeat(3);
        let quote = if self.rest.starts_with(&three) {
            three.as_str()
        } else {
            one
        };
        self.bump(quote.len());
        let mut text = String::new();
        loop {
            if self.rest.starts_with(quote) {
                self.bump(quote.len());
                return Some(text);
            }
            let next = self.rest.chars().next()?;
            if next == '\n' && quote.len() == 1 {
                return None;
            }
            self.bump(next.len_utf8());
            if next == '\\' {
                let escaped = self.rest.chars().next()?;
                self.bump(escaped.len_utf8());
                if raw {
                    text.extend(['\\', escaped]);
                } else {
                    text.push_str(escape(escaped)?);
                }
            } else {
                text.push(next);
            }
        }
    }

    /// What stands between brackets, and whether a comma was among it.
    fn list(&mut self, end: char) -> Option<(Vec<Value>, bool)> {
        self.open();
        let (mut all, mut comma) = (Vec::new(), false);
        loop {
            self.blank();
            if self.eat(end) {
                self.depth -= 1;
                return Some((all, comma));
            }
            all.push(self.value());
            self.blank();
            // Such as the colon of a slice.
            if !self.rest.starts_with([',', end]) {
                return self.broken();
            }
            comma |= self.eat(',');
        }
    }

    fn dict(&mut self) -> Option<Value> {
        self.open();
        let mut all = Vec::new();
        loop {
            self.blank();
            if self.eat('}') {
                self.depth -= 1;
                return Some(Value::Dict(all));
            }
            if self.rest.starts_with("**") {
                self.skip();
                all.push((COMPUTED.to_owned(), Value::Unknown));
            } else {
                all.push(self.entry()?);
            }
            self.blank();
            if !self.rest.starts_with([',', '}']) {
                return self.broken();
            }
            self.eat(',');
        }
    }

    fn entry(&mut self) -> Option<(String, Value)> {
        let key = match self.value() {
            Value::Text(key) | Value::Number(key) => key,
            _ => COMPUTED.to_owned(),
        };
        self.blank();
        if !self.eat(':') {
            return self.broken();
        }
        let value = self.value();
        Some((
            key.clone(),
            if key == COMPUTED {
                Value::Unknown
            } else {
                value
            },
        ))
    }

    fn open(&mut self) {
        self.bump(1);
        self.depth += 1;
    }

    /// Leaves brackets whose content is no literal, as a comprehension.
    fn broken<T>(&mut self) -> Option<T> {
        self.skip_to_close();
        None
    }

    fn skip_to_close(&mut self) {
        loop {
            self.skip();
            match self.rest.chars().next() {
                Some(',' | ':') => self.bump(1),
                Some(')' | ']' | '}') => {
                    self.bump(1);
                    break;
                }
                _ => break,
            }
        }
        self.depth = self.depth.saturating_sub(1);
    }
}

/// What may stand in a name.
pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a backslash and this stand for; none where it is one of the rarer ones.
fn escape(escaped: char) -> Option<&'static str> {
    Some(match escaped {
        '\n' => "",
        'n' => "\n",
        't' => "\t",
        'r' => "\r",
        '\\' => "\\",
        '\'' => "'",
        '"' => "\"",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
