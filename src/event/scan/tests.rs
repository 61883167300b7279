use super::*;

fn read(text: &str, levels: usize) -> Result<&str, Fault> {
    let mut scanner = Scanner::new(text, levels);
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

#[test]
fn a_value_is_read_whole_and_no_further() {
    for text in [
        "0",
        "-0.5e-7",
        "true",
        "false",
        "null",
        r#""""#,
        r#""\"\\\/\b\f\n\r\t\u00e9 ]}""#,
        r#""\ud83d\ude00""#,
        "[]",
        "{}",
        "[ 1 , [ ] , { } , \"a\" ]",
        "{ \"a\" : [ { \"b\" : [ 1 , 2 ] } , 3 ] ,\n\t\"a\" : { } }",
    ] {
        assert_eq!(read(text, 4), Ok(text));
        assert_eq!(read(&format!("{text} \n"), 4), Ok(text));
        let list = format!("[{text},7]");
        let mut scanner = Scanner::new(&list[1..], 4);
        assert_eq!((scanner.value(), scanner.end()), (Ok(text), Err(Fault::Grammar)));
    }
}

#[test]
fn whatever_keeps_a_parser_from_reading_is_a_fault() {
    for text in [
        "",
        " ",
        "nul",
        "nulls",
        "True",
        "+1",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "\"",
        "\"a",
        "\"\\\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        "\"a\nb\"",
        "\"\u{1}\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "{'a':1}",
        "[1]]",
        "1 2",
        "\u{feff}1",
    ] {
        assert_eq!(read(text, 4), Err(Fault::Grammar), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
    for text in ["1e400", "-1E+999", &format!("{}.5", "9".repeat(400)), "[1e309]"] {
        assert_eq!(read(text, 4), Err(Fault::Number), "{text}");
    }
    for text in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\n""#, r#""\ud83d\ud83d""#, r#"{"\ud83dx":1}"#] {
        assert_eq!(read(text, 4), Err(Fault::Surrogate), "{text}");
    }
}

#[test]
fn levels_are_counted_up_to_the_limit_and_closed_by_what_opened_them() {
    let nested = |levels: usize| format!("{}{}", "[{\"a\":".repeat(levels / 2), "0") + &"}]".repeat(levels / 2);
    for levels in [2, 64, 66, 900, MOST_LEVELS] {
        assert_eq!(read(&nested(levels), levels), Ok(&*nested(levels)));
        assert_eq!(read(&nested(levels), levels - 1), Err(Fault::Depth));
        assert_eq!(read(&nested(levels).replacen("}]", "]}", 1), levels), Err(Fault::Grammar));
    }
    assert_eq!(read(&nested(MOST_LEVELS + 2), usize::MAX), Err(Fault::Depth));
}

#[test]
fn a_string_says_what_it_means() {
    assert_eq!(text(r#""a""#), Some(Cow::Borrowed("a")));
    assert_eq!(text(r#""\u0061\n""#).as_deref(), Some("a\n"));
    assert_eq!((text("1"), text("[\"a\"]"), text("\"")), (None, None, None));
}
