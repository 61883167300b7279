//! A query as an expression of SQLite's FTS5, for an index of two columns: `body`, what was said, and `has`, what else there is in it.
//! Every term is quoted, so that nothing in a query is syntax.

use super::query::{Phrase, Query};

/// What an index can say of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The expression.
    pub text: String,
    /// It finds what the query asks for, and nothing else; otherwise all of that, and more.
    pub is_exact: bool,
}

/// The expression for a query; none: no index of words helps. `of`: the words in `has` of a condition, if any of them has to be there.
#[must_use]
pub fn expression<C>(query: &Query<C>, of: &dyn Fn(&C) -> Option<Vec<String>>) -> Option<Expression> {
    match query {
        Query::Words(phrase) => Some(Expression { text: in_body(phrase), is_exact: true }),
        Query::Is(condition) => {
            let any: Vec<String> = of(condition)?.iter().map(|words| format!("has : {}", quoted(words))).collect();
            joined(any, " OR ").map(|text| Expression { text, is_exact: false })
        }
        Query::Any(queries) => {
            let parts: Option<Vec<Expression>> = queries.iter().map(|query| expression(query, of)).collect();
            let parts = parts?;
            let is_exact = parts.iter().all(|part| part.is_exact);
            let text = joined(parts.into_iter().map(|part| part.text).collect(), " OR ")?;
            Some(Expression { text, is_exact })
        }
        Query::Not(_) => None,
        Query::All(queries) => {
            let (mut wanted, mut unwanted, mut is_exact) = (Vec::new(), Vec::new(), true);
            for query in queries {
                if let Query::Not(inner) = query {
                    match expression(inner, of).filter(|inner| inner.is_exact) {
                        Some(inner) => unwanted.push(inner.text),
                        None => is_exact = false,
                    }
                } else if let Some(part) = expression(query, of) {
                    is_exact &= part.is_exact;
                    wanted.push(part.text);
                } else {
                    is_exact = false;
                }
            }
            let mut text = joined(wanted, " AND ")?;
            if let Some(unwanted) = joined(unwanted, " OR ") {
                text = format!("({text} NOT {unwanted})");
            }
            Some(Expression { text, is_exact })
        }
    }
}

fn joined(mut parts: Vec<String>, by: &str) -> Option<String> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(format!("({})", parts.join(by))),
    }
}

fn in_body(phrase: &Phrase) -> String {
    let beginning = if phrase.is_prefix { " *" } else { "" };
    format!("body : {}{beginning}", quoted(&phrase.words.join(" ")))
}

fn quoted(words: &str) -> String {
    format!("\"{}\"", words.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::search::parser::{QueryContext, parse};
    use crate::search::query::{Condition, WrittenCondition};

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, bool)>) {
        let query = parse(text, &QueryContext { now: Utc::now(), substring: false }).unwrap();
        let of = |written: &WrittenCondition| match &written.condition {
            Condition::Has(has) => has.is_told_by_itself().then(|| vec![has.name().to_owned()]),
            Condition::Mentions(name) => Some(vec![name.clone(), "room".to_owned()]),
            _ => None,
        };
        let found = expression(&query, &of).map(|found| (found.text, found.is_exact));
        assert_eq!(found, expected.map(|(text, is_exact)| (text.to_owned(), is_exact)), "{text}");
    }

    #[test]
    fn an_index_is_asked_for_what_it_knows() {
        check("quick", Some(("body : \"quick\"", true)));
        check("multi-agent repl*", Some(("(body : \"multi agent\" AND body : \"repl\" *)", true)));
        check("(a OR b) -c -d", Some(("((body : \"a\" OR body : \"b\") NOT (body : \"c\" OR body : \"d\"))", true)));
        check("a from:alice", Some(("body : \"a\"", false)));
        check("a OR from:alice", None);
        check("from:alice", None);
        check("NOT a", None);
        check("a NOT from:bob", Some(("body : \"a\"", false)));
        check("a NOT has:image", Some(("body : \"a\"", false)));
        check("a has:image", Some(("(body : \"a\" AND has : \"image\")", false)));
        check("mentions:bob", Some(("(has : \"bob\" OR has : \"room\")", false)));
        check("has:reaction", None);
        check("", None);
    }
}
