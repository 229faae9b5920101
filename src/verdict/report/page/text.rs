//! Text on its way into the page: nothing that anybody said is taken for markup.

use std::fmt::{self, Display, Formatter, Write as _};

/// A text, escaped for content and for quoted attributes.
pub(super) struct Esc<'a>(pub(super) &'a str);

impl Display for Esc<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut before = ' ';
        let mut chars = self.0.chars().peekable();
        while let Some(c) = chars.next() {
            let is_unit = c == ' ' && before.is_ascii_digit() && chars.peek() == Some(&'s');
            before = c;
            match c {
                // A number is not parted from its unit.
                ' ' if is_unit => f.write_str("&nbsp;")?,
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A sentence, what stands in backticks set as code.
pub(super) struct Prose<'a>(pub(super) &'a str);

impl Display for Prose<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let pieces: Vec<&str> = self.0.split('`').collect();
        // An odd backtick is one that was meant.
        let paired = pieces.len() % 2 == 1;
        for (index, piece) in pieces.iter().enumerate() {
            match (index % 2 == 1, paired) {
                (true, true) => write!(f, "<code>{}</code>", Esc(piece))?,
                (_, false) if index > 0 => write!(f, "`{}", Esc(piece))?,
                _ => write!(f, "{}", Esc(piece))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_markup() {
        let text = "<script>'a' & \"b\"</script>";
        let escaped = "&lt;script&gt;&#39;a&#39; &amp; &quot;b&quot;&lt;/script&gt;";
        assert_eq!(Esc(text).to_string(), escaped);
        assert_eq!(Prose(text).to_string(), escaped);
    }

    #[test]
    fn code_stands_in_pairs_of_backticks() {
        for (text, html) in [
            (
                "see `a<b` and `c`",
                "see <code>a&lt;b</code> and <code>c</code>",
            ),
            ("one ` alone", "one ` alone"),
            ("", ""),
        ] {
            assert_eq!(Prose(text).to_string(), html);
        }
    }
}
