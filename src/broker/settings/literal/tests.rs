//! What is read as Python reads it, and what is said not to be known.

use super::*;

fn read(text: &str) -> Value {
    Reader::new(text).value()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn literals_are_read_as_python_does() {
    for (written, expected) in [
        ("'a' \"b\"  # c", text("ab")),
        ("r'a\\b'", text("a\\b")),
        ("'''a\n'b' #'''", text("a\n'b' #")),
        ("'it\\'s'", text("it's")),
        ("5_432", Value::Number("5432".to_owned())),
        ("('x')", text("x")),
        ("('x',)", Value::List(vec![text("x")])),
        ("None", Value::Nothing),
        (
            "[True, # no\n False]",
            Value::List(vec![Value::Bool(true), Value::Bool(false)]),
        ),
    ] {
        assert_eq!(read(written), expected, "{written}");
    }
}

#[test]
fn what_is_computed_is_not_known_and_hides_nothing_else() {
    for written in [
        "os.environ['X']",
        "'a' + X",
        "f'{x}'",
        "'a' if X else 'b'",
        "'%s' % x",
        "'\\x41'",
    ] {
        assert_eq!(read(written), Value::Unknown, "{written}");
    }
    let dict = read("{'a': {'HOST': get(')', \"}\"), 'PORT': 5432}, 'b': env('B', {}), 'c': 'd'}");
    let a = dict.at("a").unwrap();
    assert_eq!(a.at("HOST"), Some(&Value::Unknown));
    assert_eq!(a.at("PORT"), Some(&Value::Number("5432".to_owned())));
    assert_eq!(dict.at("b"), Some(&Value::Unknown));
    assert_eq!(dict.at("c"), Some(&text("d")));
    assert_eq!(dict.at("e"), None);
}

#[test]
fn a_dict_that_is_merged_may_have_any_key() {
    let dict = read("{'a': 1, **more, 'b': 2}");
    assert_eq!(dict.at("a"), Some(&Value::Unknown));
    assert_eq!(dict.at("b"), Some(&Value::Number("2".to_owned())));
    assert_eq!(dict.at("c"), Some(&Value::Unknown));
    let made = read("{x: y for x in y}");
    assert_eq!(made.at("a"), Some(&Value::Unknown));
}

#[test]
fn a_text_that_breaks_off_ends_the_reading() {
    for written in [
        "{'a': 'b",
        "[1, 2",
        "'''a",
        "{'a' 'b', (",
        "{",
        "('",
        "{]",
        "[}",
        ")",
        "]]",
    ] {
        let mut reader = Reader::new(written);
        reader.value();
        assert!(reader.rest().len() <= written.len(), "{written}");
    }
}
