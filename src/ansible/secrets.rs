//! What must not leave the module: the values of `no_log` options and whatever a module learns at run
//! time, such as the password in a broker's URL. Masked as Ansible's `remove_values` does, in the
//! spellings in which a secret tends to turn up elsewhere.
//!
//! A password may be a word that a reply says anyway: `pulp`, the name of a unit, a number. Such a word is
//! no secret where a name stands, and a mask there would both blind the reader and tell the password. So
//! each secret has a [`Class`], and each string of a reply a [`TextOrigin`]:
//!
//! | secret | is masked |
//! |---|---|
//! | as a rule | wherever it stands, also inside of words, of names, of Base64 |
//! | at most 12 letters and nothing else, or shorter than 6 characters | where it stands alone; in the known places |
//! | what the reply says anyway | in the known places; in foreign text where it stands alone |
//!
//! The known places are the password in a URL, the value of what is named like a secret, and the header of
//! basic authentication. The reply says anyway: its keys, its numbers, its names (`keys.rs`), our own fixed
//! words. What looks random is never taken for one of these.

mod keys;
mod places;
mod spellings;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Number, Value};

use places::TextOrigin;
pub(crate) use places::is_named;

/// What stands for a string that is a secret.
pub(super) const WHOLE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// What stands for a secret inside a string.
pub(crate) const PART: &str = "********";

/// A shorter secret is found in any text, so it counts only where it stands alone.
const SHORT: usize = 6;

/// One that is not longer counts in the known places only: every text has such words.
const VERY_SHORT: usize = 3;

/// No word that we write has more letters.
const LONGEST_WORD: usize = 12;

/// What looks random has so many characters.
const RANDOM: usize = 8;

/// Every secret that this process knows.
static KNOWN: Mutex<Secrets> = Mutex::new(Secrets {
    all: Vec::new(),
    forms: Vec::new(),
});

/// Keeps a secret, in every usual spelling, out of the reply.
pub(crate) fn add(secret: &str) {
    KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(secret);
}

/// The same for the password in a URL, whatever the option is called that holds it.
pub(crate) fn add_of_url(text: &str) {
    let authority = text
        .split_once("://")
        .and_then(|(_, r)| r.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    if let Some((_, password)) = user.and_then(|(user, _)| user.split_once(':')) {
        add(password);
    }
}

/// Masks every known secret in every value; keys stay as they are, as in Ansible.
pub(crate) fn mask(map: &mut Map<String, Value>) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.mask(map);
}

/// The known secret across this place of a text, from where to where: half of one would be known by nobody, so a
/// text is not cut there.
pub(crate) fn across(text: &str, at: usize) -> Option<(usize, usize)> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.across(text, at)
}

/// Masks all that is in the value of an option that is secret. As with Ansible, nothing is no secret.
pub(super) fn withhold(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => WHOLE.clone_into(text),
        Value::Number(number) if number.as_f64() != Some(0.0) => *value = WHOLE.into(),
        Value::Array(items) => items.iter_mut().for_each(withhold),
        Value::Object(map) => map.values_mut().for_each(withhold),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How much of a secret a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It is found in nothing that we say.
    Anywhere,
    /// It may be a part of what we say.
    Alone,
    /// We say it whether it is a secret or not.
    Said,
}

#[derive(Debug)]
struct Secret {
    text: String,
    class: Class,
}

/// One spelling of a secret.
#[derive(Debug)]
struct Form {
    text: String,
    /// Where its secret stands in the list.
    of: usize,
    /// Base64 is no word, whatever it is made of.
    is_encoded: bool,
}

#[derive(Debug, Default)]
struct Secrets {
    all: Vec<Secret>,
    /// Longest first, so that a secret within a longer one does not spoil the longer one's mask.
    forms: Vec<Form>,
}

impl Secrets {
    fn add(&mut self, secret: &str) {
        if secret.is_empty() || is_bare_url(secret) || self.all.iter().any(|s| s.text == secret) {
            return;
        }
        let of = self.all.len();
        self.all.push(Secret {
            text: secret.to_owned(),
            class: class(secret),
        });
        let plain = spellings::plain(secret).into_iter().map(|t| (t, false));
        let encoded = spellings::base64(secret).into_iter().map(|t| (t, true));
        for (text, is_encoded) in plain.chain(encoded) {
            if !text.is_empty() && !self.forms.iter().any(|form| form.text == text) {
                self.forms.push(Form {
                    text,
                    of,
                    is_encoded,
                });
            }
        }
        self.forms
            .sort_by_key(|form| std::cmp::Reverse(form.text.chars().count()));
    }

    fn across(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        self.forms.iter().find_map(|form| {
            let begin = text.floor_char_boundary(at.saturating_sub(form.text.len()));
            let end = text.ceil_char_boundary((at + form.text.len()).min(text.len()));
            let found = text[begin..end].match_indices(&form.text);
            let mut places = found.map(|(from, it)| (begin + from, begin + from + it.len()));
            places.find(|(from, to)| *from < at && at < *to)
        })
    }

    /// What is said anyway stays so for the rest of the process: a report is made of results that were masked before.
    fn mask(&mut self, map: &mut Map<String, Value>) {
        for secret in &mut self.all {
            let may_be_said = secret.class != Class::Said && !is_no_name(&secret.text);
            if may_be_said && keys::says(map, &secret.text) {
                secret.class = Class::Said;
            }
        }
        if !self.forms.is_empty() {
            self.mask_map(map);
        }
    }

    fn mask_map(&self, map: &mut Map<String, Value>) {
        let is_event = map.contains_key("event");
        for (key, value) in map {
            let place = match key.as_str() {
                // Ours: the sentences of a verdict, and the last line of the play.
                "evidence" if value.is_array() => TextOrigin::Own,
                "line" if !is_event => TextOrigin::Own,
                key => TextOrigin::of(key),
            };
            self.mask_value(value, place);
        }
    }

    fn mask_value(&self, value: &mut Value, place: TextOrigin) {
        match value {
            Value::String(text) => self.mask_text(text, place),
            Value::Array(items) => items.iter_mut().for_each(|i| self.mask_value(i, place)),
            Value::Object(map) => self.mask_map(map),
            Value::Number(number) if place == TextOrigin::Secret && self.has(number) => {
                *value = WHOLE.into();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// As text or as a value: Python and Rust do not write every number alike.
    fn has(&self, number: &Number) -> bool {
        let text = number.to_string();
        let is_same = |secret: &str| number.is_f64() && secret.parse().ok() == number.as_f64();
        self.all
            .iter()
            .any(|secret| secret.text == text || is_same(&secret.text))
    }

    fn mask_text(&self, text: &mut String, place: TextOrigin) {
        for form in &self.forms {
            let hides = |before: &str, after: &str| self.hides(form, place, before, after);
            if *text == form.text {
                if hides("", "") {
                    WHOLE.clone_into(text);
                    return;
                }
                continue;
            }
            if let Some(masked) = places::replaced(text, &form.text, hides) {
                *text = masked;
            }
        }
        if let Some(masked) = places::without_basic(text, |decoded| {
            self.all.iter().any(|s| decoded.ends_with(&s.text))
        }) {
            *text = masked;
        }
    }

    /// Whether it is masked where this stands before and after it.
    fn hides(&self, form: &Form, place: TextOrigin, before: &str, after: &str) -> bool {
        let secret = &self.all[form.of];
        if form.is_encoded
            || place == TextOrigin::Secret
            || places::is_known(before, after, &form.text)
        {
            return true;
        }
        match (secret.class, place) {
            (Class::Anywhere, _) => true,
            (Class::Alone, TextOrigin::Rendered)
            | (Class::Said, TextOrigin::Rendered | TextOrigin::Own) => false,
            (Class::Alone | Class::Said, _) => {
                secret.text.chars().count() > VERY_SHORT && places::stands_alone(before, after)
            }
        }
    }
}

/// What the secret is by its look and by our own words.
fn class(secret: &str) -> Class {
    let length = secret.chars().count();
    let is_word = length <= LONGEST_WORD && secret.chars().all(char::is_alphabetic);
    if keys::is_ours(secret) {
        Class::Said
    } else if is_word || length < SHORT {
        Class::Alone
    } else {
        Class::Anywhere
    }
}

/// A URL with credentials; or letters of both cases and digits, without what joins the parts of a name: nobody
/// calls a unit or a host so.
fn is_no_name(secret: &str) -> bool {
    let has = |test: fn(&char) -> bool| secret.chars().any(|c| test(&c));
    let is_random = secret.chars().count() >= RANDOM
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_digit)
        && !secret.contains(['.', '-', '_', '/', ':', '@']);
    is_random || secret.contains("://")
}

/// The URL of a place, without credentials and parameters.
fn is_bare_url(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']');
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (authority, ""),
    };
    !scheme.is_empty()
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '+')
        && (host.chars().all(is_name) || host.starts_with('[') && host.ends_with(']'))
        && port.chars().all(|c| c.is_ascii_digit())
        && path.chars().all(|c| is_name(c) || matches!(c, '/' | '%'))
}
