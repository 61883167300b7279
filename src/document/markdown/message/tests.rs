use super::super::super::message::{Manner, Message};

fn body(kind: &str, content: &str, is_reply: bool) -> String {
    super::blocks(&Message::of(kind, content, is_reply))
}

fn excerpt(kind: &str, content: &str, is_reply: bool, chars: usize) -> String {
    super::in_short(&Message::of(kind, content, is_reply), chars)
}

fn check(content: &str, markdown: &str) {
    assert_eq!(body("m.room.message", content, false), markdown, "{content}");
}

#[test]
fn text() {
    check(r#"{"msgtype":"m.text","body":"a *b* c\nd"}"#, "a \\*b\\* c  \nd");
    check(
        r#"{"msgtype":"m.text","body":"**b**","format":"org.matrix.custom.html","formatted_body":"<b>b</b>"}"#,
        "**b**",
    );
    check(r#"{"msgtype":"m.text","body":"b","format":"org.matrix.custom.html","formatted_body":"<b></b>"}"#, "b");
    check(r#"{"msgtype":"m.text","body":"b","format":"x","formatted_body":"<i>i</i>"}"#, "b");
    check(r#"{"body":"of old"}"#, "of old");
    check(r#"{"msgtype":"com.example.x","body":"b"}"#, "b\n\n*(message of type `com.example.x`)*");
    for (msgtype, manner) in [
        ("m.text", Manner::Said),
        ("m.notice", Manner::Notice),
        ("m.emote", Manner::Emote),
        ("m.server_notice", Manner::ServerNotice),
        ("m.key.verification.request", Manner::Noise),
        ("m.image", Manner::Said),
    ] {
        let content = format!(r#"{{"msgtype":"{msgtype}","body":"b"}}"#);
        assert_eq!(Message::of("m.room.message", &content, false).manner(), manner);
    }
}

#[test]
fn emotes() {
    let emote = |content: &str| super::message(&Message::of("m.room.message", content, false), "Carol");
    assert_eq!(emote(r#"{"msgtype":"m.emote","body":"waves"}"#), "***Carol** waves*");
    assert_eq!(emote(r#"{"msgtype":"m.emote","body":"waves\nand goes"}"#), "***Carol*** waves  \nand goes");
    let html = r#"{"msgtype":"m.emote","body":"w","format":"org.matrix.custom.html","formatted_body":"<i>w</i>"}"#;
    assert_eq!(emote(html), "***Carol*** *w*");
    let to = |html: &str| {
        format!(r#"{{"msgtype":"m.emote","body":"w","format":"org.matrix.custom.html","formatted_body":"{html}"}}"#)
    };
    assert_eq!(emote(&to("waves at <em>everybody</em>")), "***Carol*** waves at *everybody*");
    assert_eq!(emote(&to("<ol><li>one</li></ol>")), "***Carol***\n\n1. one");
}

#[test]
fn replies() {
    let content = r#"{"msgtype":"m.text","body":"> <@b:x> first\n> second\n\nanswer\n> own"}"#;
    assert_eq!(body("m.room.message", content, true), "answer  \n\\> own");
    assert_eq!(body("m.room.message", r#"{"body":"> own quote\n\nx"}"#, true), "\\> own quote\n\nx");
    // what is quoted may be redacted, and is never shown for want of an answer
    let html = r#""format":"org.matrix.custom.html","formatted_body":"<mx-reply>q</mx-reply>""#;
    for only in [r#"{"body":"> <@b:x> all"}"#, &format!(r#"{{"body":"all",{html}}}"#)] {
        assert_eq!(body("m.room.message", only, true), "*(empty message)*");
        assert_eq!(excerpt("m.room.message", only, true, 80), "(empty message)");
    }
    let reply = r#"{"body":"> <@b:x> q\n\na","m.relates_to":{"m.in_reply_to":{"event_id":"$e"}}}"#;
    assert_eq!(excerpt("m.room.message", reply, false, 80), "a");
    let html = r#"{"body":"x","format":"org.matrix.custom.html","formatted_body":"<mx-reply>q</mx-reply>a"}"#;
    assert_eq!(body("m.room.message", html, false), "a");
}

#[test]
fn files() {
    check(
        r#"{"msgtype":"m.image","body":"lag.png","url":"mxc://example.org/Gx","info":{"mimetype":"image/png","w":1920,"h":1080,"size":84123}}"#,
        "🖼 [lag.png](mxc://example.org/Gx) · image/png · 1920×1080 · 84 KB",
    );
    check(
        r#"{"msgtype":"m.file","body":"see *this*","filename":"a_b.pdf","file":{"url":"mxc://example.org/x-_"}}"#,
        "📎 [a_b.pdf](mxc://example.org/x-_)\n\nsee \\*this\\*",
    );
    check(r#"{"msgtype":"m.audio","body":"a.ogg","info":{"duration":83456.5,"size":-1}}"#, "🔊 a.ogg · 1:23");
    check(r#"{"msgtype":"m.video","body":"a.mp4","info":{"duration":3723000}}"#, "🎬 a.mp4 · 1:02:03");
    check(
        r#"{"msgtype":"m.audio","body":"x.ogg","url":"mxc://a.b/c","info":{"duration":7000,"size":9},"org.matrix.msc3245.voice":{}}"#,
        "🎤 [x.ogg](mxc://a.b/c) · voice message · 0:07",
    );
    check(r#"{"msgtype":"m.file","body":"x","url":"mxc://a.b/c)[x](javascript:1"}"#, "📎 x");
    check(
        r#"{"msgtype":"m.file","body":"x\u202e[y](z)","info":{"mimetype":"a|*b*"}}"#,
        "📎 x\\u{202e}\\[y\\](z) · a\\|\\*b\\*",
    );
    check(r#"{"msgtype":"m.location","body":"Home","geo_uri":"geo:51.5,-0.1"}"#, "📍 Home · `geo:51.5,-0.1`");
    let sticker = r#"{"body":"Cat","url":"mxc://a.b/c","info":{}}"#;
    assert_eq!(body("m.sticker", sticker, false), "🖼 sticker [Cat](mxc://a.b/c)");
}

#[test]
fn galleries() {
    let items = r#"[{"itemtype":"m.image","body":"boat.jpg","url":"mxc://a.b/boat","info":{"w":3,"h":2}},"#;
    let more = r#"{"itemtype":"m.image","body":"At *dawn*","filename":"dawn.jpg"},"dawn",{"itemtype":"m.gallery","itemtypes":[{}],"body":"x"},"#;
    let last = r#"{"itemtype":"m.video","filename":"dive.mp4","file":{"url":"mxc://a.b/dive"}}]"#;
    let content = format!(r#"{{"msgtype":"dm.filament.gallery","body":"Four _","itemtypes":{items}{more}{last}}}"#);
    let files = "🖼 [boat.jpg](mxc://a.b/boat) · 3×2\n\n🖼 dawn.jpg\n\nAt \\*dawn\\*\n\n\
                 x\n\n*(message of type `m.gallery`)*\n\n🎬 [dive.mp4](mxc://a.b/dive)";
    check(&content, &format!("Four _\n\n{files}"));
    check(&content.replace(r#""body":"Four _","#, ""), files);
    check(r#"{"msgtype":"m.gallery","body":"b","itemtypes":[1]}"#, "b\n\n*(message of type `m.gallery`)*");
}

#[test]
fn excerpts() {
    let check =
        |content: &str, line: &str| assert_eq!(excerpt("m.room.message", content, false, 20), line, "{content}");
    check(r#"{"body":"The replica is back in sync. Two things"}"#, "The replica is back…");
    check(r#"{"body":"**b**","format":"org.matrix.custom.html","formatted_body":"<b>b</b><p>c"}"#, "b c");
    check(r#"{"msgtype":"m.image","body":"lag.png"}"#, "🖼 lag.png");
    check(r#"{"msgtype":"m.text"}"#, "(message without a readable body)");
    // what is said of a file says more than its name
    check(r#"{"msgtype":"m.image","body":"On the <ridge>","filename":"lag.png"}"#, "🖼 On the &lt;ridge>");
    let html = r#","format":"org.matrix.custom.html","formatted_body":"At <b>dawn</b>""#;
    check(&format!(r#"{{"msgtype":"m.file","body":"At **dawn**","filename":"x.pdf"{html}}}"#), "📎 At dawn");
    let items = r#""itemtypes":[{"itemtype":"m.image","body":"a.png"},{"itemtype":"m.file","body":"b"}]"#;
    check(&format!(r#"{{"msgtype":"m.gallery","body":"Two",{items}}}"#), "🖼 Two");
    check(&format!(r#"{{"msgtype":"m.gallery",{items}}}"#), "🖼 a.png");
}

#[test]
fn extensible_events() {
    check(r#"{"m.text":[{"body":"plain"},{"mimetype":"text/html","body":"<b>html</b>"}]}"#, "**html**");
    check(r#"{"org.matrix.msc1767.text":"plain"}"#, "plain");
    check(r#"{"m.text":[{"body":1},2,[]]}"#, "*(message without a readable body)*");
}

#[test]
fn extensible_event_types() {
    let check = |kind: &str, content: &str, markdown: &str| {
        assert_eq!(body(kind, content, false), markdown, "{kind} {content}");
    };
    let formats = |key: &str| {
        format!(
            r#"{{"{key}":[{{"mimetype":"text/html","body":"a <b>b</b>"}},{{"mimetype":"text/plain","body":"a b"}}]}}"#
        )
    };
    for (kind, key) in [
        ("m.message", "m.text"),
        ("m.message", "m.markup"),
        ("org.matrix.msc1767.message", "org.matrix.msc1767.message"),
        ("org.matrix.msc1767.emote", "org.matrix.msc1767.markup"),
    ] {
        check(kind, &formats(key), "a **b**");
    }
    check("m.message", r#"{"m.text":"a","m.html":"<i>a</i>"}"#, "*a*");
    check("m.notice", r#"{"org.matrix.msc1767.text":"a","org.matrix.msc1767.html":"<i>a</i>"}"#, "*a*");
    let file = r#"{"url":"mxc://a.b/c","name":"plan.pdf","mimetype":"application/pdf","size":12345}"#;
    let told = "[plan.pdf](mxc://a.b/c) · application/pdf · 12 KB";
    let of = |rest: &str| {
        format!(r#"{{"org.matrix.msc1767.text":"plan.pdf (12 KB)","org.matrix.msc1767.file":{file}{rest}}}"#)
    };
    check("org.matrix.msc1767.file", &of(""), &format!("📎 {told}"));
    check("m.file", &of(r#","m.caption":{"m.text":[{"body":"the last"}]}"#), &format!("📎 {told}\n\nthe last"));
    let voice = r#"{"m.text":[{"body":"fallback"}],"m.file":{"url":"mxc://a.b/c","name":"Voice.ogg"},"m.audio_details":{"duration":7}}"#;
    check("m.voice", voice, "🎤 [Voice.ogg](mxc://a.b/c) · 0:07");
    let image =
        r#"{"org.matrix.msc1767.file":{"url":"mxc://a.b/c"},"org.matrix.msc1767.image":{"width":2,"height":3}}"#;
    check("org.matrix.msc1767.image", image, "🖼 [unnamed](mxc://a.b/c) · 2×3");
    let place =
        r#"{"org.matrix.msc3488.location":{"uri":"geo:1,2","description":"Car park"},"body":"Location at geo:1,2"}"#;
    check("m.location", place, "📍 Car park · `geo:1,2`");
    check("m.room.message", &place.replacen('{', r#"{"msgtype":"m.location","#, 1), "📍 Car park · `geo:1,2`");
    for kind in ["m.message", "m.file", "m.voice", "m.location", "org.matrix.msc1767.emote"] {
        for content in ["", "[]", r#"{"m.file":1,"m.text":{},"m.caption":[],"m.location":"x","m.image":[[]]}"#] {
            assert!(!body(kind, content, false).is_empty(), "{kind} {content}");
        }
    }
    let automated = r#"{"m.text":[{"body":"a"}],"org.matrix.msc1767.automated":true}"#;
    assert_eq!(Message::of("m.message", automated, false).manner(), Manner::Notice);
    assert_eq!(Message::of("org.matrix.msc1767.emote", "{}", false).manner(), Manner::Emote);
}

#[test]
fn profiles() {
    let profile = |fallback: bool| {
        format!(r#""com.beeper.per_message_profile":{{"displayname":"Dana","has_fallback":{fallback}}}"#)
    };
    let html =
        r#""format":"org.matrix.custom.html","formatted_body":"<strong data-mx-profile-fallback>Dana: </strong>4711.""#;
    check(&format!(r#"{{"body":"Dana: 4711.",{}}}"#, profile(true)), "4711\\.");
    check(&format!(r#"{{"body":"Dana: 4711.",{}}}"#, profile(false)), "Dana: 4711.");
    check(&format!(r#"{{"body":"Dana: 4711.",{html},{}}}"#, profile(true)), "4711\\.");
    check(&format!(r#"{{"body":"Dana: 4711.",{html},{}}}"#, profile(false)), "**Dana:** 4711.");
    let file = r#""msgtype":"m.file","filename":"a.pdf","#;
    check(&format!(r#"{{{file}"body":"Dana: a.pdf",{}}}"#, profile(true)), "📎 a.pdf");
    check(&format!(r#"{{{file}"body":"Dana: the bill",{}}}"#, profile(true)), "📎 a.pdf\n\nthe bill");
    let reply =
        format!(r#"{{"body":"> <@a:x> who?\n\nDana: I","m.relates_to":{{"m.in_reply_to":{{}}}},{}}}"#, profile(true));
    check(&reply, "I");
}

#[test]
fn hostile_contents() {
    let none = "*(message without a readable body)*";
    for content in
        ["", "null", "[]", "{", "{}", r#"{"body":1}"#, r#"{"body":null,"msgtype":[]}"#, r#"{"body":"\ud800"}"#]
    {
        check(content, none);
        assert_eq!(excerpt("m.room.message", content, false, 80), none.trim_matches('*'));
    }
    check(r#"{"body":"  \n "}"#, "*(empty message)*");
    check(r#"{"body":"first","body":"last"}"#, "last");
    let deep = format!(
        r#"{{"info":{}{},"body":"deep","msgtype":"m.image"}}"#,
        r#"{"w":["#.repeat(20_000),
        "]}".repeat(20_000)
    );
    check(&deep, "🖼 deep");
}
