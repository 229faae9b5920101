//! Numbers as Python reads them from text: `Decimal` for integers, `float` for floats.

/// Python's `strip`, which knows four separators more than Rust's.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

/// The digits of an integer if a module can read it: 64 bits.
pub(super) fn fits(digits: &str) -> Option<String> {
    let fits = digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok();
    fits.then(|| digits.to_owned())
}

/// The digits of an integer given as decimal text, such as ` +1_000 `, `1.0` or `1e3`.
pub(super) fn whole(text: &str) -> Option<String> {
    let text = trim(text).replace('_', "");
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{before}{after}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Where the decimal point ends up, counted from the start of `significant`.
    let skipped = all.len() - significant.len();
    let point = i64::try_from(before.len()).ok()? - i64::try_from(skipped).ok()?;
    let point = usize::try_from(point.checked_add(exponent)?).ok()?;
    let digits = significant.trim_end_matches('0');
    // More digits than this are no 64 bits.
    if point < digits.len() || point > 20 {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    fits(&format!(
        "{sign}{digits}{}",
        "0".repeat(point - digits.len())
    ))
}

/// A float given as text; underscores only between digits.
pub(super) fn float(text: &str) -> Option<f64> {
    // Python does not strip the four separators here.
    let text = text.trim();
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let separates = |at: usize| is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1));
    if text.match_indices('_').any(|(at, _)| !separates(at)) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_decimal_text() {
        for (text, digits) in [
            ("30", "30"),
            (" \u{1f}+5\n", "5"),
            ("-007", "-7"),
            ("1_000", "1000"),
            ("_1__0_", "10"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("1000e-3", "1"),
            ("0.0005E4", "5"),
            (".5e1", "5"),
            ("5.", "5"),
            ("-0.0", "0"),
            ("0e999999", "0"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
        ] {
            assert_eq!(whole(text).as_deref(), Some(digits), "{text}");
        }
    }

    #[test]
    fn what_is_no_integer_or_too_large_a_one() {
        for text in [
            "",
            " ",
            "abc",
            "1.5",
            "0x10",
            "1 0",
            "+",
            "-",
            ".",
            "e3",
            "1e",
            "1e1.0",
            "--1",
            "nan",
            "inf",
            "Infinity",
            "1e-1",
            "18446744073709551616",
            "-9223372036854775809",
            "1e20",
            "1e999999999999",
            "1e9223372036854775807",
            "9e-9223372036854775808",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn floats_in_text() {
        assert_eq!(float(" 1_000.5e1 "), Some(10_005.0));
        assert_eq!(float("\u{a0}\u{3000}5."), Some(5.0));
        for text in [
            "",
            "_1",
            "1_",
            "1__0",
            "1_.0",
            "1e_3",
            "0x10",
            "1 0",
            "\x1f1",
            "\u{a0}\x1f1",
            "abc",
        ] {
            assert_eq!(float(text), None, "{text}");
        }
    }
}
