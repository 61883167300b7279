use super::{block, code_block, code_cell, code_span, excerpt, inline, inline_name, link, yaml};
use crate::document::text::size;

#[test]
fn plain_text_stays_as_it_is() {
    for text in [
        "snake_case and a_b_c",
        "2 * 3 * 4",
        "C# is #1 in #db:example.org",
        "version 1.5, at 10:30",
        "I'm - well - here",
        "it costs $5",
        "R&D, AT&T & co; a < b > c <3",
        "10 ~ 12, ~5 minutes, ~/src",
        "C:\\Users\\x",
        "[WARN] disk full [urgent]",
        "ps aux | grep x",
        "what? yes! (maybe) {a} @alice:example.org :smile:",
        "Grüße, “quoted” — 中文 🎉 👨‍👩‍👧 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 می‌خواهم",
    ] {
        assert_eq!(block(text), text);
    }
}

#[test]
fn what_would_be_markup_is_escaped() {
    let check = |text: &str, markdown: &str| assert_eq!(block(text), markdown);
    check("*a* **b** _c_ __init__ ~~d~~ `e`", "\\*a\\* \\*\\*b\\*\\* \\_c\\_ \\_\\_init\\_\\_ \\~\\~d\\~\\~ \\`e\\`");
    check("[x](y) ![x](y) [^1] [ ]", "\\[x\\](y) !\\[x\\](y) \\[^1\\] \\[ \\]");
    check("<b> </b> <!-- &lt; &#60; &copy", "&lt;b> &lt;/b> &lt;!-- &amp;lt; &amp;#60; &copy");
    check("a$b$ $$x$$ \\* \\", "a\\$b\\$ \\$\\$x\\$\\$ \\\\\\* \\\\");
    check("# a\n> b\n- c\n+ d\n* e\n1. f\n2) g", "\\# a  \n\\> b  \n\\- c  \n\\+ d  \n\\* e  \n1\\. f  \n2\\) g");
    check(
        "---\na | b\n--|--\n===\n***\n~~~\n```",
        "\\---  \na | b  \n\\--|--  \n\\===  \n\\*\\*\\*  \n\\~\\~\\~  \n\\`\\`\\`",
    );
    check("www.example.org", "www\\.example.org");
    check("[a]: https://example.org", "\\[a\\]: <https://example.org>");
}

#[test]
fn lines_and_paragraphs() {
    assert_eq!(block("a\r\n  b  \n\n\n\tc\u{2028}d\n"), "a  \n\u{a0}\u{a0}b\n\n\u{a0}\u{a0}\u{a0}\u{a0}c  \nd");
    assert_eq!(block(" \n\t\n"), "");
    assert_eq!(inline("  a\n\tb \u{2028} c  "), "a b c");
    assert_eq!(inline("- a | b"), "\\- a \\| b");
}

#[test]
fn hidden_characters_are_spelled() {
    assert_eq!(inline("a\u{202e}b\u{7}\u{feff}"), "a\\u{202e}b\\u{7}\\u{feff}");
    assert_eq!(inline("pay\u{200d}pal a\u{fe0f} \u{200d}\u{200d}"), "pay\\u{200d}pal a\\u{fe0f} \\u{200d}\\u{200d}");
    assert_eq!(inline("\\\u{1b}[31m"), "\\\\\\u{1b}\\[31m");
    assert_eq!(code_span("a\u{202e}b"), "`a\\u{202e}b`");
    assert_eq!(code_block("a\u{0}\r\n\tb\n", None), "```\na\\u{0}\n\tb\n```");
}

#[test]
fn what_sets_a_script_stays() {
    for text in [
        "שלום\u{200f}! (test)\u{200f}",
        "soft\u{ad}hyphen, zero\u{200b}width, word\u{2060}joiner\u{200e}",
        "\u{61c}١٢٣, ه\u{200d}.ش, کتاب\u{200c}",
        "\u{2068}علی\u{2069} و \u{2068}Bob\u{2069}",
        "\u{2067}a \u{2066}b\u{2069} c\u{2069}",
        "ᠮᠣᠩᠭᠣᠯ\u{180e},",
    ] {
        assert_eq!(block(text), text);
        assert_eq!(inline(text), text);
        let read: String = serde_json::from_str(&yaml(text)).unwrap();
        assert_eq!(read, text);
    }
    assert_eq!(yaml("گفت\u{200c}وگو"), "\"گفت\u{200c}وگو\"");
}

#[test]
fn what_sets_a_script_is_spelled_where_nothing_is_set() {
    for c in ["\u{200e}", "\u{200f}", "\u{61c}", "\u{ad}", "\u{200b}", "\u{2060}", "\u{2066}"] {
        let spelled = format!("a{}b", c.escape_unicode());
        assert_eq!(code_span(&format!("a{c}b")), format!("`{spelled}`"));
        assert_eq!(code_block(&format!("a{c}b"), None), format!("```\n{spelled}\n```"));
        assert_eq!(inline_name(&format!("a{c}b")), spelled);
        // an address ends before it
        assert!(block(&format!("https://a.b/c{c}d")).starts_with("<https://a.b/c>"));
        assert!(link("x", &format!("https://a.b/c{c}d")).contains("c%"));
    }
}

#[test]
fn isolates_end_where_their_line_ends() {
    let check = |text: &str, markdown: &str| assert_eq!(block(text), markdown, "{text:?}");
    check("\u{2068}a\nb\u{2069} c", "\u{2068}a\u{2069}  \nb c");
    check("\u{2068}a \u{2067}b\r\nc\u{2069}\n\nd\u{2069}e", "\u{2068}a \u{2067}b\u{2069}\u{2069}  \nc\n\nde");
    check("\u{2068}a\n\u{2066}b\u{2069} c\u{2069}", "\u{2068}a\u{2069}  \n\u{2066}b\u{2069} c");
    check("\u{2067}a\nb", "\\u{2067}a  \nb");
    check("a\u{2069}b \u{2066}c", "a\\u{2069}b \\u{2066}c");
    check("a\u{fdd0}b", "a\\u{fdd0}b");
    check("\u{2067}a \u{2068}b\u{2069}", "\\u{2067}a \u{2068}b\u{2069}");
    assert_eq!(inline("\u{2068}a\nb\u{2069}"), "\u{2068}a b\u{2069}");
    assert_eq!(excerpt("\u{2068}\u{2067}some words\u{2069}\u{2069}", 8), "\u{2068}\u{2067}some\u{2069}\u{2069}…");
}

#[test]
fn web_addresses() {
    assert_eq!(block("see https://a.b/c_d_e?f=g&h=i#j."), "see <https://a.b/c_d_e?f=g&h=i#j>.");
    assert_eq!(block("(https://a.b/c_(d)), HTTP://x"), "(<https://a.b/c_(d)>), <HTTP://x>");
    assert_eq!(block("https://a.b/c$d|e"), "[https\\://a.b/c\\$d](https://a.b/c%24d)|e");
    assert_eq!(block("https://a.b/?x=1&copy;=2"), "[https\\://a.b/?x=1&amp;copy;=2](https://a.b/?x=1&amp;copy;=2)");
    assert_eq!(block("ftp://a.b xhttps://a.b https://"), "ftp\\://a.b xhttps\\://a.b https\\://");
    assert_eq!(inline("https://a.b"), "https\\://a.b");
}

#[test]
fn code() {
    assert_eq!(code_span("a`b"), "``a`b``");
    assert_eq!(code_span("`a"), "`` `a ``");
    assert_eq!(code_span(" a "), "`  a  `");
    assert_eq!(code_span(""), "");
    let run = "`".repeat(80);
    assert_eq!(code_span(&run[1..]), format!("{run} {} {run}", &run[1..]));
    assert_eq!(
        code_span(&format!("{run}<b>")),
        format!("{}&lt;b>", r"\`".repeat(80)),
        "no parser reads a longer fence"
    );
    assert_eq!(code_cell("a|b"), r"`a\|b`");
    assert_eq!(code_cell(r"a\|b"), r"a\\\|b", "a backslash before it would end the cell");
    assert_eq!(code_block("a\n```\nb", Some("c++")), "````c++\na\n```\nb\n````");
    assert_eq!(code_block("a", Some("x y")), "```\na\n```");
}

#[test]
fn links() {
    assert_eq!(link("a", "https://a.b/(c) d\"e"), "[a](https://a.b/%28c%29%20d%22e)");
    assert_eq!(link("a", " HTTPS://a.b\n/c "), "[a](HTTPS://a.b/c)");
    assert_eq!(link("a", "java\tscript:x"), "a `java script:x`");
    assert_eq!(link("a", "../b"), "a `../b`");
    assert_eq!(link("a", ""), "a");
    assert_eq!(link("", "mxc://a.b/c"), "[mxc\\://a.b/c](mxc://a.b/c)");
    assert_eq!(link("ä", "https://de.example.org/wiki/Käse"), "[ä](https://de.example.org/wiki/K%C3%A4se)");
}

#[test]
fn excerpts() {
    assert_eq!(excerpt("short *text*", 80), "short \\*text\\*");
    assert_eq!(excerpt("The replica is back in sync", 20), "The replica is back…");
    assert_eq!(excerpt("The replica is back", 19), "The replica is back");
    assert_eq!(excerpt("abcdefghij", 5), "abcde…");
    assert_eq!(excerpt("a👨‍👩‍👧b", 3), "a…");
    assert_eq!(excerpt("x", 0), "…");
    assert_eq!(excerpt(" \n", 5), "");
}

#[test]
fn yaml_scalars() {
    let check = |text: &str, scalar: &str| {
        assert_eq!(yaml(text), scalar);
        let json: String = serde_json::from_str(scalar).unwrap();
        let yaml: String = serde_saphyr::from_str(scalar).unwrap();
        assert_eq!(json, yaml);
    };
    check("a \"b\" \\ c: #d", "\"a \\\"b\\\" \\\\ c: #d\"");
    check("a\nb\tc\u{202e}\u{1b}\u{2028}", "\"a\\nb\\tc\\u202e\\u001b\\u2028\"");
    check("a\u{e0001}", "\"a\\\\u{e0001}\"");
    check("é 🎉", "\"é 🎉\"");
    check("<b>&[x](y)", r#""\u003cb\u003e\u0026\u005bx\u005d(y)""#);
    check("*a* `b` ~c~ |$", r#""\u002aa\u002a \u0060b\u0060 \u007ec\u007e \u007c\u0024""#);
    check("_a_b_", r#""\u005fa_b\u005f""#);
}

#[test]
fn sizes() {
    for (bytes, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (84_123, "84 KB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (1_240_000, "1.2 MB"),
        (9_960_000, "10 MB"),
        (u64::MAX, "18 EB"),
    ] {
        assert_eq!(size(bytes), text);
    }
}
