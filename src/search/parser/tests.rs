use chrono::Utc;

use super::*;
use crate::search::query::Operand;

fn reading() -> QueryContext<Utc> {
    QueryContext { now: "2026-11-22T15:30:00Z".parse().unwrap(), substring: false }
}

/// A query in one line: phrases in brackets.
fn told(query: &Query<WrittenCondition>) -> String {
    let each = |queries: &[Query<WrittenCondition>]| queries.iter().map(told).collect::<Vec<_>>().join(" ");
    match query {
        Query::All(queries) => format!("all({})", each(queries)),
        Query::Any(queries) => format!("any({})", each(queries)),
        Query::Not(query) => format!("not({})", told(query)),
        Query::Words(phrase) => format!("[{}{}]", phrase.words.join(" "), if phrase.is_prefix { "*" } else { "" }),
        Query::Is(written) => match &written.condition {
            Condition::From(name) => format!("from={name}"),
            Condition::In(name) => format!("in={name}"),
            Condition::Mentions(name) => format!("mentions={name}"),
            Condition::Has(has) => format!("has={}", has.name()),
            Condition::Is(is) => format!("is={}", is.name()),
            Condition::At(range) => {
                let day = |time: i64| match time {
                    i64::MIN | i64::MAX => String::new(),
                    time => DateTime::<Utc>::from_timestamp_millis(time).unwrap().format("%m-%d").to_string(),
                };
                format!("at={}..{}", day(range.start), day(range.end))
            }
        },
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(parse(text, &reading()).as_ref().map(told), Ok(expected.to_owned()), "{text}");
}

#[track_caller]
fn wrong(text: &str, place: &str, what: &str) {
    let wrong = parse(text, &reading()).unwrap_err();
    assert_eq!(text.get(wrong.at.clone()).unwrap_or_default(), place, "{text}: {wrong:?}");
    assert!(wrong.what.contains(what), "{text}: {wrong}");
}

#[test]
fn words_are_joined_by_and() {
    check("quick", "[quick]");
    check("quick brown", "all([quick] [brown])");
    check("quick AND brown fox", "all([quick] [brown] [fox])");
    check("quick OR brown fox", "any([quick] all([brown] [fox]))");
    check("(quick OR brown) fox", "all(any([quick] [brown]) [fox])");
    check("quick NOT brown", "all([quick] not([brown]))");
    check("quick -brown -\"red fox\"", "all([quick] not([brown]) not([red fox]))");
    check("quick AND NOT (brown OR red)", "all([quick] not(any([brown] [red])))");
    check("and or not", "all([and] [or] [not])");
    check("", "all()");
}

#[test]
fn what_has_no_meaning_is_a_word() {
    check("multi-agent don't", "all([multi agent] [don t])");
    check("https://example.org/a?b=c", "[https example org a b c]");
    check("main() std::fmt f(x)", "all([main] [std fmt] [f x])");
    check("(call f(x))", "all([call] [f x])");
    check("foo:bar C++", "all([foo bar] [c])");
    check("\"AND\" x", "all([and] [x])");
    check("Łódź 東京 हिन्दी", "all([lodz] [東 京] [हिन्दी])");
    wrong("a -- b", "--", "no letter");
}

#[test]
fn phrases_and_beginnings() {
    check("\"quick brown\" fox", "all([quick brown] [fox])");
    for quoted in [
        "“quick brown”",
        "„quick brown“",
        "„quick brown”",
        "”quick brown”",
        "«quick brown»",
        "»quick brown«",
        "« quick brown »",
    ] {
        check(quoted, "[quick brown]");
        check(&format!("a -{quoted} b"), "all([a] not([quick brown]) [b])");
        check(&format!("from:{quoted}"), &format!("from={}", quoted.trim_matches(['“', '”', '„', '«', '»'])));
        // as an argument too
        assert_eq!(joined(&[quoted.to_owned()]), quoted);
    }
    check("\"quick “brown” fox\"", "[quick brown fox]");
    wrong("a «quick", "«quick", "does not end");
    check("repl* \"quick bro\"*", "all([repl*] [quick bro*])");
    check("東*", "[東*]");
    check("multi-*", "[multi]");
}

#[test]
fn operators() {
    check("from:alice in:ops", "all(from=alice in=ops)");
    check("From:\"Alice B\" x", "all(from=Alice B [x])");
    check("(from:@alice:here.test OR from:bob)", "any(from=@alice:here.test from=bob)");
    check("in:#ops:here.test -from:bob", "all(in=#ops:here.test not(from=bob))");
    check("has:link has:Images is:edited mentions:bob", "all(has=link has=image is=edited mentions=bob)");
    check("before:2026-11-22 after:yesterday on:7d", "all(at=..11-22 at=11-22.. at=11-15..11-16)");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    wrong("before:yesteday x", "before:yesteday", "no date");
    wrong("x has:cat", "has:cat", "link, image");
    wrong("is:funny", "is:funny", "encrypted");
    wrong("from: alice", "from:", "without a space");
    wrong("\"quick brown", "\"quick brown", "does not end");
    wrong("(quick", "(", "no )");
    wrong("(quick) x )", ")", "no (");
    check("quick) x", "all([quick] [x])");
}

#[test]
fn what_joins_needs_two_sides() {
    wrong("AND x", "AND", "nothing stands before");
    wrong("x OR", "OR", "nothing follows");
    wrong("x AND OR y", "AND", "nothing follows");
    wrong("x NOT", "NOT", "nothing follows");
    wrong("()", "()", "nothing between");
    wrong("x ) y", ")", "no (");
    wrong("🎉", "🎉", "--substring");
    wrong("*", "*", "no letter");
    let deep = "(".repeat(1_000) + "x" + &")".repeat(1_000);
    assert!(parse(&deep, &reading()).unwrap_err().what.contains("too long"));
    let long = "x ".repeat(1_000);
    assert!(parse(&long, &reading()).unwrap_err().what.contains("too long"));
}

#[test]
fn arguments_are_one_query() {
    let joined = |arguments: &[&str]| joined(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(joined(&["quick", "brown fox"]), "quick \"brown fox\"");
    assert_eq!(joined(&["from:alice replica", "a OR b"]), "from:alice replica a OR b");
    assert_eq!(joined(&["\"brown fox\""]), "\"brown fox\"");
    assert_eq!(joined(&["quick -brown", "a - b", " x "]), "quick -brown \"a - b\"  x ");
}

#[test]
fn parts_of_words_may_be_any_characters() {
    let reading = QueryContext { substring: true, ..reading() };
    let query = parse("🎉 -> \"a  b\"", &reading).unwrap();
    let mut texts = Vec::new();
    query.each_part(true, &mut |part, _| {
        if let Operand::Words(phrase) = part {
            texts.push(phrase.text.clone());
        }
    });
    assert_eq!(texts, ["🎉", "->", "a  b"]);
}

#[test]
fn no_query_makes_it_panic() {
    use proptest::prelude::*;
    proptest!(|(text in r#"([a-z()"*:\-“é東 ]|AND |OR |NOT |from:|has:|on:){0,30}"#)| {
        if let Err(wrong) = parse(&text, &reading()) {
            prop_assert!(wrong.at.start <= text.len() && text.is_char_boundary(wrong.at.start));
        }
    });
}
