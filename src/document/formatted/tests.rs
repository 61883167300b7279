use super::{from_html, text};

fn check(html: &str, markdown: &str) {
    assert_eq!(from_html(html).as_deref().unwrap_or("(nothing)"), markdown, "{html}");
}

#[test]
fn emphasis() {
    check("The replica is <strong>back in sync</strong>.", "The replica is **back in sync**.");
    check("<b>a</b>b", "**a**b");
    check("x<em> a </em>y", "x *a* y");
    check("<b>a</b><b>b</b>", "**ab**");
    check("<b>a<i>b</i></b> <i><b>c</b></i>", "**ab** ***c***");
    check("<b>a <i>b</i> (<i>c</i>)</b>", "**a *b* (*c*)**");
    check("<b>a</b><i>b</i>", "**a**b");
    check("a<b>(x)</b>b", "a(x)b");
    check("<b>(x)</b>, <del>gone</del>", "**(x)**, ~~gone~~");
    check("<b>*</b> <i>a*b_c</i> d_e", "**\\*** *a\\*b_c* d_e");
    check("<b></b><i> </i>", "(nothing)");
    check("<b>one<p>two</p></b>three", "**one**\n\n**two**\n\nthree");
    check("<b>a <b>b</b> c</b>", "**a b c**");
    check("x<sup>2</sup> H<sub>2</sub>O <u>plain</u>", "x<sup>2</sup> H<sub>2</sub>O plain");
}

#[test]
fn isolates_end_where_their_line_ends() {
    check("\u{2068}<b>علی</b>\u{2069} و \u{2068}Bob\u{2069}", "\u{2068}**علی**\u{2069} و \u{2068}Bob\u{2069}");
    check("\u{2068}a <b>b<br>c</b>\u{2069} d <i>e</i>", "\u{2068}a **b\u{2069}  \nc** d *e*");
    check("\u{2067}a <b>b</b>", "\\u{2067}a **b**");
    check("\u{2068}a <code>\u{2069}</code> \u{2069} <i>b</i>", "\u{2068}a `\\u{2069}` \u{2069} *b*");
}

#[test]
fn text_is_escaped() {
    check("1 &lt; 2 &amp;&amp; snake_case * 2", "1 < 2 && snake_case * 2");
    check("&lt;b&gt;no&lt;/b&gt; &amp;amp;", "&lt;b>no&lt;/b> &amp;amp;");
    check("<p># a</p><p>- b</p><p>1. c</p>", "\\# a\n\n\\- b\n\n1\\. c");
    check("it costs $5, see https://example.org/a_b.", "it costs $5, see <https://example.org/a_b>.");
    check("a\u{202e}b<script>alert(1)</script><!-- x -->c<blink>d</blink>", "a\\u{202e}bcd");
    check("<mx-reply><blockquote>quoted</blockquote></mx-reply>answer", "answer");
}

#[test]
fn code() {
    check("run <code>VACUUM FULL</code> later", "run `VACUUM FULL` later");
    check("<code>a`b</code><code>c</code>", "``a`bc``");
    check("<b><code>a</code></b>b", "`a`b");
    check(
        "<pre><code class=\"language-sql\">select 1;\n\n  -- ```\n</code></pre>",
        "````sql\nselect 1;\n\n  -- ```\n````",
    );
    check("<pre>a<br>b</pre>", "```\na\nb\n```");
}

#[test]
fn blocks() {
    check("<h1>Title</h1>text<hr>more", "**Title**\n\ntext\n\n___\n\nmore");
    check("a<br>b<br><br>c", "a  \nb\n\nc");
    check("<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n>\n> b\n\nc");
    check("<details><summary>More</summary>text</details>", "**▸ More**\n\ntext");
}

#[test]
fn lists() {
    check("<p>Two:</p><ol><li>a</li><li>b</li></ol>", "Two:\n\n1. a\n2. b");
    check("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c");
    check("<ol start=9><li>a<ol start=3><li>b</ol><li>c</ol>", "9. a\n\n   3. b\n10. c");
    check("<ul><li>a</li></ul><ul><li>b</li></ul>", "- a\n\n* b");
    check("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n- c");
    check("<ul><li><pre>x\n\ny</pre></li></ul>", "- ```\n  x\n\n  y\n  ```");
    check("<ul><li>a</li>text<li>b</li></ul>", "- a\n\ntext\n\n- b");
    check("<ol><li></li><li>b</li></ol>", "1. \u{a0}\n2. b");
}

#[test]
fn tables() {
    check(
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1|2</td><td><b>x</b><br>y</td></tr></tbody></table>",
        "| a | b |\n|---|---|\n| 1\\|2 | **x**<br>y |",
    );
    check("<table><tr><td>a<td><code>x|y</code></table>", "| | |\n|---|---|\n| a | `x\\|y` |");
    check("<table><tr><td><ul><li>a<li>b</ul><td><pre>c</pre></table>", "| | |\n|---|---|\n| • a<br>• b | `c` |");
    check("<ul><li>t<table><tr><th>a</table></li></ul>", "- t\n\n  | a |\n  |---|");
    check("<table><tr><td>a<table><tr><td>b</table><td>c</table>", "| | |\n|---|---|\n| a<br>b | c |");
}

#[test]
fn links() {
    check("<a href=\"https://example.org/a b)\">te[x]t</a>!", "[te\\[x\\]t](https://example.org/a%20b%29)!");
    check("<a href=\"https://example.org/\">https://example.org/</a>", "<https://example.org/>");
    check(
        "<a href=\"https://evil.example/\">https://example.org</a>",
        "[https\\://example.org](https://evil.example/)",
    );
    check("see!<a href='https://example.org'><b>x</b></a>", "see\\![**x**](https://example.org)");
    check("<a href=\" jAva\tscript:alert(1)\">x</a>y", "x `jAva\tscript:alert(1)`y");
    check("<a href=\"https://a.b\">a<a href=\"https://c.d\">b</a>", "[a](https://a.b)[b](https://c.d)");
    check("<a href=\"https://a.b\"><p>x</p><p>y</p></a>", "[x](https://a.b)\n\ny");
    check("<a href=\"https://matrix.to/#/@a:b.c\">Alice</a>: hi", "[@Alice](https://matrix.to/#/@a:b.c): hi");
    check("<a href=\"https://a.b\"></a>", "(nothing)");
    check("<a href=\"https://a.b\">https:</a>", "[https:](https://a.b)");
    check("<a href=\"https:é\">https:é</a>", "[https:é](https:%C3%A9)");
}

#[test]
fn images_spoilers_and_formulas() {
    check("<img data-mx-emoticon src=\"mxc://a.b/c\" alt=\":cat:\">", ":cat:");
    check("<img src=\"mxc://a.b/c\" alt=\"a cat\">", "🖼 [a cat](mxc://a.b/c)");
    check("<img src=\"https://a.b/c\">", "🖼 image");
    check("<span data-mx-spoiler=\"plot\">she <i>wins</i></span>", "(spoiler: plot) ||she *wins*||");
    check("<span data-mx-spoiler>x</span>", "(spoiler) ||x||");
    check("<span data-mx-maths=\"\\frac{1}{2}\"><code>1/2</code></span> of", "`\\frac{1}{2}` of");
    check("<div data-mx-maths=\"x^2\">x</div>", "```math\nx^2\n```");
}

#[test]
fn text_without_markup() {
    assert_eq!(text("<p>The <b>replica</b></p><ol><li>a_b*</ol>", 80).as_deref(), Some("The replica 1. a_b* "));
    assert_eq!(text("<p> </p>", 80), None);
}

#[test]
fn nothing_looks_like_a_line_of_the_transcript() {
    for (html, markdown) in [
        ("<p><b>Alice</b> · 08:04</p>", "Alice · 08:04"),
        ("x<br><strong>Alice</strong> ·<i> --:--</i> x", "x  \nAlice · *--:--* x"),
        ("<p><sub>08:04 · Alice left</sub></p>", "08:04 · Alice left"),
        ("x<br>&nbsp;<sub>08:04 · Alice</sub> <sub>left</sub>", "x  \n\u{a0}08:04 · Alice <sub>left</sub>"),
        ("<b>Tea</b> · <b>08:04</b>", "Tea · **08:04**"),
        ("<b>Alice</b> · at 08:04", "**Alice** · at 08:04"),
        ("CO<sub>2</sub>", "CO<sub>2</sub>"),
    ] {
        assert_eq!(from_html(html).as_deref(), Some(markdown), "{html}");
    }
}

#[test]
fn hostile_nesting_takes_no_time() {
    let unclosed = |tag: &str, count: usize| tag.repeat(count);
    let attributes = (0..13_000).map(|n| format!("a{n:x}")).collect::<Vec<_>>().join(" ");
    let formats = (0..3000).map(|n| format!("<b {n:x}>")).collect::<Vec<_>>().concat();
    let start = std::time::Instant::now();
    for html in [
        unclosed("<b>", 65_000),
        unclosed("<b><i>", 30_000),
        unclosed("<blockquote>", 20_000),
        unclosed("<ul><li>", 20_000),
        unclosed("<table><tr><td>", 10_000),
        unclosed("<blockquote>x<br>", 20_000),
        unclosed("<li>x", 20_000),
        unclosed("<b>x</b><i>y</i>", 10_000),
        unclosed("<sup>x</sup>", 10_000),
        unclosed("</b></p>", 20_000),
        format!("<a {attributes}>x</a>"),
        format!("<p>{formats}</p>{}", "<p>x</p>".repeat(3000)),
        format!("<a href=\"https://a.b/{}\">{}", "x".repeat(30_000), "<p>x".repeat(8000)),
        "http://".repeat(20_000),
        "[".repeat(60_000),
        "&".repeat(60_000),
        "<".repeat(60_000),
        "\u{a0}<b>".repeat(20_000),
    ] {
        let markdown = from_html(&html).unwrap_or_default();
        assert!(markdown.len() < 50 * html.len(), "{} bytes from {}", markdown.len(), html.len());
    }
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}
