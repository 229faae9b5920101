//! Text on its way into the page. `maud` escapes what is put into it; here is what it cannot know.

use maud::{Markup, Render, html};

/// A text in which no number is parted from its unit.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Render for Text<'_> {
    fn render_to(&self, buffer: &mut String) {
        let mut before = ' ';
        let mut chars = self.0.chars().peekable();
        while let Some(c) = chars.next() {
            let is_unit = c == ' ' && before.is_ascii_digit() && chars.peek() == Some(&'s');
            before = c;
            (if is_unit { '\u{a0}' } else { c }).render_to(buffer);
        }
    }
}

/// A sentence, what stands in backticks set as code.
pub(super) struct Prose<'a>(pub(super) &'a str);

impl Render for Prose<'_> {
    fn render(&self) -> Markup {
        let pieces: Vec<&str> = self.0.split('`').collect();
        // An odd backtick is one that was meant.
        if pieces.len().is_multiple_of(2) {
            return html! { (Text(self.0)) };
        }
        html! {
            @for (index, piece) in pieces.into_iter().enumerate() {
                @if index % 2 == 1 { code { (Text(piece)) } } @else { (Text(piece)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_markup() {
        let text = "<script>\"a\" & b</script>";
        let escaped = "&lt;script&gt;&quot;a&quot; &amp; b&lt;/script&gt;";
        assert_eq!(Text(text).render().into_string(), escaped);
        assert_eq!(Prose(text).render().into_string(), escaped);
    }

    #[test]
    fn code_stands_in_pairs_of_backticks() {
        for (text, html) in [
            (
                "see `a<b` and `c`",
                "see <code>a&lt;b</code> and <code>c</code>",
            ),
            ("one ` alone", "one ` alone"),
            ("after 6 s, 7 steps", "after 6\u{a0}s, 7\u{a0}steps"),
            ("", ""),
        ] {
            assert_eq!(Prose(text).render().into_string(), html);
        }
    }
}
