//! Python literals, which a dictionary may be written in (`{'a': True}`): what `literal_eval` accepts
//! and JSON can hold. Bytes, sets and complex numbers are refused.

use std::iter::Peekable;
use std::str::Chars;

use super::{Given, number, set};

/// As deep as values in JSON may be.
const DEEPEST: usize = 128;

/// Reads one literal, and nothing but blanks after it.
pub(super) fn parse(text: &str) -> Option<Given> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        depth: 0,
    };
    let value = reader.value()?;
    reader.skip_blanks()?;
    reader.rest.next().is_none().then_some(value)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Given> {
        self.skip_blanks()?;
        match *self.rest.peek()? {
            '{' => self.nested(Self::dict),
            '[' => {
                self.nested(|reader| reader.items('[', ']').map(|(items, _)| Given::List(items)))
            }
            '(' => self.nested(Self::tuple),
            '\'' | '"' => self.strings(String::new()),
            '+' | '-' => self.signed(),
            c if c.is_ascii_digit() || c == '.' => number_of(&self.word()),
            _ => self.named(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Given>) -> Option<Given> {
        self.depth += 1;
        let value = (self.depth <= DEEPEST).then(|| read(self))?;
        self.depth -= 1;
        value
    }

    fn dict(&mut self) -> Option<Given> {
        self.rest.next();
        let mut entries = Vec::new();
        let mut numbers: Vec<(String, String)> = Vec::new();
        while !self.take('}') {
            let given = self.value()?;
            let mut name = key(&given)?;
            // Of equal keys the first stays, with the value of the last.
            if let Some(digits) = digits(&given) {
                match numbers.iter().find(|(other, _)| *other == digits) {
                    Some((_, first)) => name.clone_from(first),
                    None => numbers.push((digits, name.clone())),
                }
            }
            if !self.take(':') {
                return None;
            }
            set(&mut entries, &name, self.value()?);
            if !self.take(',') && !self.next_is('}') {
                return None;
            }
        }
        Some(Given::Dict(entries))
    }

    /// The items up to `close`, and whether a comma stood after the last one.
    fn items(&mut self, open: char, close: char) -> Option<(Vec<Given>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        if !self.take(open) {
            return None;
        }
        while !self.take(close) {
            items.push(self.value()?);
            comma = self.take(',');
            if !comma && !self.next_is(close) {
                return None;
            }
        }
        Some((items, comma))
    }

    /// Parentheses around one value without a comma are only parentheses.
    fn tuple(&mut self) -> Option<Given> {
        let (mut items, comma) = self.items('(', ')')?;
        if items.len() == 1 && !comma {
            return items.pop();
        }
        Some(Given::List(items))
    }

    fn signed(&mut self) -> Option<Given> {
        let negative = self.rest.next() == Some('-');
        match (self.value()?, negative) {
            (value @ (Given::Int(_) | Given::Float(_)), false) => Some(value),
            (Given::Int(digits), true) if digits == "0" => Some(Given::Int(digits)),
            (Given::Int(digits), true) => Some(Given::Int(
                digits
                    .strip_prefix('-')
                    .map_or_else(|| format!("-{digits}"), str::to_owned),
            )),
            (Given::Float(value), true) => Some(Given::Float(-value)),
            _ => None,
        }
    }

    fn named(&mut self) -> Option<Given> {
        match self.word().as_str() {
            "True" => Some(Given::Bool(true)),
            "False" => Some(Given::Bool(false)),
            "None" => Some(Given::Null),
            prefix @ ("r" | "R" | "u" | "U") => self.strings(prefix.to_owned()),
            _ => None,
        }
    }

    /// Letters, digits and what belongs to a number: the sign of an exponent is part of it.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(&next) = self.rest.peek() {
            let is_exponent = word.ends_with(['e', 'E'])
                && word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && !word.starts_with("0x")
                && !word.starts_with("0X");
            if next.is_ascii_alphanumeric()
                || "._".contains(next)
                || ("+-".contains(next) && is_exponent)
            {
                word.push(next);
                self.rest.next();
            } else {
                break;
            }
        }
        word
    }

    /// Strings that follow each other are one; `prefix` is that of the first.
    fn strings(&mut self, mut prefix: String) -> Option<Given> {
        let mut text = String::new();
        loop {
            text += &self.string(prefix.eq_ignore_ascii_case("r"))?;
            self.skip_blanks()?;
            match self.rest.peek() {
                Some('\'' | '"') => prefix.clear(),
                Some('r' | 'R' | 'u' | 'U') => prefix = self.word(),
                _ => return Some(Given::Str(text)),
            }
        }
    }

    fn string(&mut self, raw: bool) -> Option<String> {
        let quote = self.rest.next().filter(|c| "'\"".contains(*c))?;
        let mut text = String::new();
        let mut triple = false;
        if self.rest.next_if_eq(&quote).is_some() {
            if self.rest.next_if_eq(&quote).is_none() {
                return Some(text);
            }
            triple = true;
        }
        let mut quotes = 0;
        loop {
            let next = self.rest.next()?;
            quotes = if next == quote { quotes + 1 } else { 0 };
            match next {
                '\\' if raw => text.extend(['\\', self.rest.next()?]),
                '\\' => self.escape(&mut text)?,
                '\n' if !triple => return None,
                _ if quotes == 1 && !triple => return Some(text),
                _ => text.push(next),
            }
            if quotes == 3 {
                text.truncate(text.len() - 3);
                return Some(text);
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let character = match self.rest.next()? {
            '\n' => return Some(()),
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            'N' => return None,
            first @ '0'..='7' => self.octal(first)?,
            same @ ('\\' | '\'' | '"') => same,
            other => {
                text.push('\\');
                other
            }
        };
        text.push(character);
        Some(())
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let mut code = 0;
        for _ in 0..digits {
            code = code * 16 + self.rest.next()?.to_digit(16)?;
        }
        char::from_u32(code)
    }

    fn octal(&mut self, first: char) -> Option<char> {
        let mut code = first.to_digit(8)?;
        for _ in 0..2 {
            if let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) {
                code = code * 8 + digit.to_digit(8)?;
            }
        }
        char::from_u32(code)
    }

    fn take(&mut self, character: char) -> bool {
        self.skip_blanks().is_some() && self.rest.next_if_eq(&character).is_some()
    }

    fn next_is(&mut self, character: char) -> bool {
        self.skip_blanks().is_some() && self.rest.peek() == Some(&character)
    }

    fn skip_blanks(&mut self) -> Option<()> {
        loop {
            match self.rest.peek().copied() {
                Some(' ' | '\t' | '\r' | '\n' | '\x0c') => {}
                Some('#') => while self.rest.next_if(|c| *c != '\n').is_some() {},
                // A line that goes on; there has to be one.
                Some('\\') if self.rest.clone().nth(1) == Some('\n') => {
                    self.rest.next();
                    self.rest.clone().nth(1)?;
                }
                _ => return Some(()),
            }
            self.rest.next();
        }
    }
}

/// As keys of a dictionary in Python 1, 1.0 and `True` are one.
fn digits(key: &Given) -> Option<String> {
    match key {
        Given::Bool(flag) => Some(u8::from(*flag).to_string()),
        Given::Int(digits) => Some(digits.clone()),
        Given::Float(_) => number::whole(&key.str()),
        _ => None,
    }
}

/// A key as JSON would write it.
fn key(value: &Given) -> Option<String> {
    match value {
        Given::Str(text) => Some(text.clone()),
        Given::Float(value) if value.is_infinite() => {
            let sign = if value.is_sign_negative() { "-" } else { "" };
            Some(format!("{sign}Infinity"))
        }
        Given::Int(_) | Given::Float(_) => Some(value.str()),
        Given::Bool(flag) => Some(flag.to_string()),
        Given::Null => Some("null".to_owned()),
        Given::List(_) | Given::Dict(_) => None,
    }
}

fn number_of(word: &str) -> Option<Given> {
    let radix = match word.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    if radix != 10 {
        let digits = word.get(2..)?.replace('_', "");
        let value = u128::from_str_radix(&digits, radix).ok()?;
        return Some(Given::Int(value.to_string()));
    }
    let value = number::float(word)?;
    let digits = word.replace('_', "");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Given::Float(value));
    }
    let significant = digits.trim_start_matches('0');
    match (significant.is_empty(), significant.len() == digits.len()) {
        (true, _) => Some(Given::Int("0".to_owned())),
        (false, true) => Some(Given::Int(digits)),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(text: &str) -> Option<String> {
        parse(text).map(|value| value.repr())
    }

    #[test]
    fn what_literal_eval_accepts() {
        for (text, value) in [
            ("{'a': True, \"b\": None,}", "{'a': True, 'b': None}"),
            ("{}", "{}"),
            (
                "{1: [1, 2.5, -3, +4, - 0], (2): (1,), 3: ()}",
                "{'1': [1, 2.5, -3, 4, 0], '2': [1], '3': []}",
            ),
            (
                "{True: 0x1F, None: 0b11, 1.5: 1_000, 'o': 0o17}",
                "{'true': 31, 'null': 3, '1.5': 1000, 'o': 15}",
            ),
            ("{'a' 'b': r'\\n' \"c\"}", "{'ab': '\\\\nc'}"),
            (
                "{'x': '\\x41\\u00e9\\101\\'\\q\\\n!'}",
                "{'x': \"AéA'\\\\q!\"}",
            ),
            (
                "{'''t'r''': \"\"\"a\"b\"\"\", '': ''}",
                "{\"t'r\": 'a\"b', '': ''}",
            ),
            ("{ # why\n'a'\t: 1e3 }\n", "{'a': 1000.0}"),
            ("{'a': 1, 'a': 2}", "{'a': 2}"),
            (
                "{1: 1, True: 2, 'a': 3, 1.0: 4, '1': 5}",
                "{'1': 5, 'a': 3}",
            ),
            ("{False: 1, -0.0: 2}", "{'false': 2}"),
            ("{'a': \\\n1}", "{'a': 1}"),
            ("{1e999: 1, -1e999: 2}", "{'Infinity': 1, '-Infinity': 2}"),
        ] {
            assert_eq!(repr(text).as_deref(), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_literal_or_nothing_for_json() {
        for text in [
            "",
            "{",
            "{'a'}",
            "{'a': }",
            "{'a': 1 'b': 2}",
            "{,}",
            "{'a': b'x'}",
            "{'a': 1j}",
            "{'a': 012}",
            "{'a': f()}",
            "{[1]: 2}",
            "{'a': 1} x",
            "{'a': 'b\n'}",
            "{'a': -'b'}",
            "{'a': 0x}",
            "{'a': nan}",
            "{'a': '\\N{DASH}'}",
            "{'a': '\\ud800'}",
            "{'a': 1__0}",
            "{'a': \\ 1}",
            "{}\\\n",
            "{'a': [1,,2]}",
            "{'a': \"b'}",
        ] {
            assert_eq!(repr(text), None, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(parse(&deep), None);
    }
}
