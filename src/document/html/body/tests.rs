use super::from_html;
use super::nesting::MAX_DEPTH;

#[track_caller]
fn check(html: &str, expected: &str) {
    assert_eq!(from_html(html).as_deref().unwrap_or_default(), expected, "{html}");
}

#[test]
fn the_elements_of_matrix_stay() {
    check("<p>a <b>b</b></p><p>c</p>", "<p>a <strong>b</strong></p><p>c</p>");
    check("<h1>x</h1><hr/>y", "<p class=\"h1\">x</p><hr>y");
    check("<ol start=\"7\"><li>a<li>b</ol>", "<ol start=\"7\"><li>a</li><li>b</li></ol>");
    check(
        "<pre><code class=\"language-rust\">a &lt;\nb</code></pre>",
        "<pre><span class=\"l\">rust</span><code>a &lt;\nb</code></pre>",
    );
    check("<span data-mx-maths=\"x^2\"><code>no</code></span>", "<code>x^2</code>");
    check(
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        "<table><tr><th>a</th></tr><tr><td>b</td></tr></table>",
    );
    check("<img data-mx-emoticon src=\"mxc://a/b\" alt=\":x:\" onerror=\"y\">", "<span class=\"cu\">:x:</span>");
    check(
        "<font color=\"#F00\">r</font><span data-mx-color=\"blue\">b</span>",
        "<span class=\"k0\">r</span><span class=\"k8\">b</span>",
    );
    check("<span data-mx-bg-color=\"#00ff00\" data-mx-color=\"#fff\">g</span>", "<span class=\"g4\">g</span>");
    check(
        "<a href=\"https://matrix.to/#/@a:x\">A</a>",
        "<a class=\"me\" href=\"https://matrix.to/#/@a:x\" rel=\"noreferrer noopener\">A</a>",
    );
    let spoiler = "<label class=\"sp\"><input type=\"checkbox\" aria-label=\"spoiler: end\"><i>spoiler: end</i> <span>all die</span></label>";
    check("<span data-mx-spoiler=\"end\">all die</span>", spoiler);
}

#[test]
fn nothing_else_does() {
    check("<script>alert(1)</script>", "");
    check(
        "<style>a</style><svg onload=x><a href=\"javascript:x\">t</a></svg>",
        "<span title=\"javascript:x\">t</span>",
    );
    check("<p style=\"position:fixed\" class=\"m\" id=\"q\" onclick=\"x\">t</p>", "<p>t</p>");
    check(
        "<a href=\"https://x/&quot;onclick=1\">t</a>",
        "<a href=\"https://x/%22onclick=1\" rel=\"noreferrer noopener\">t</a>",
    );
    check(
        "<span data-mx-spoiler='\"><script>'>t</span>",
        "<label class=\"sp\"><input type=\"checkbox\" aria-label=\"spoiler: &quot;&gt;&lt;script&gt;\"><i>spoiler: &quot;&gt;&lt;script&gt;</i> <span>t</span></label>",
    );
    check("<mx-reply><b>quote</b></mx-reply>answer", "answer");
    check("</div></article><b>x", "<strong>x</strong>");
    check("a\u{202e}b", "a\\u{202e}b");
}

#[test]
fn what_browsers_would_move_stands_where_they_would_not() {
    check("<table>x<tr>y<td>z</table>", "<table><tr><td>x</td></tr><tr><td>y</td><td>z</td></tr></table>");
    check("<p>a<ul>b</ul>", "<p>a</p><ul><li>b</li></ul>");
    check("<b><p>a</b>b", "<strong><p>a</p></strong>b");
    check(
        "<a href=\"https://x\">a<a href=\"https://y\">b",
        "<a href=\"https://x\" rel=\"noreferrer noopener\">a</a><a href=\"https://y\" rel=\"noreferrer noopener\">b</a>",
    );
    let spoiler = "<label class=\"sp\"><input type=\"checkbox\" aria-label=\"spoiler\"><i>spoiler</i> <span>";
    let expected = format!("<p>{spoiler}a</span></label></p>{spoiler}<div>b</div></span></label>c");
    check("<p><span data-mx-spoiler>a<div>b</div></span>c", &expected);
    check("<td>x</td><li>y</li>", "xy");
    let deep = from_html(&("<b>".repeat(5_000) + "x")).unwrap();
    assert_eq!(deep.matches("<strong>").count(), MAX_DEPTH);
    assert_eq!(deep.matches("</strong>").count(), MAX_DEPTH);
}
