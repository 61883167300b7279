//! What a query asks for: words and conditions, joined. Says nothing of how it is answered.

use std::ops::Range;

/// A query, whose conditions are of type `C`: as they were written, or as an archive knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query<C> {
    /// All of these hold; none: everything.
    All(Vec<Query<C>>),
    /// One of these holds, or several.
    Any(Vec<Query<C>>),
    /// This does not hold.
    Not(Box<Query<C>>),
    /// The text has these words, one after the other.
    Words(Phrase),
    /// What is known of the message beside its text.
    Is(C),
}

/// Words that stand one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// As [`words`](super::words) cuts them; at least one, but for a search for parts of words.
    pub words: Vec<String>,
    /// The last one is the beginning of a word.
    pub is_prefix: bool,
    /// As it was written.
    pub text: String,
}

/// A condition as it is written, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCondition {
    /// Which.
    pub condition: Condition,
    /// Where in the query, in bytes.
    pub at: Range<usize>,
}

/// A condition by the names that people use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Somebody has sent it.
    From(String),
    /// It is in this room.
    In(String),
    /// Its time, milliseconds since the epoch, is one of these.
    At(Range<i64>),
    /// It has something.
    Has(Has),
    /// It is something.
    Is(Is),
    /// It mentions somebody.
    Mentions(String),
}

/// What a message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they say what they are")]
pub enum Has {
    Link,
    Image,
    Video,
    File,
    Audio,
    Poll,
    Reaction,
    Edit,
    Thread,
}

/// What a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Is {
    /// An answer.
    Reply,
    /// Part of a thread.
    Thread,
    /// Redacted.
    Redacted,
    /// Edited.
    Edited,
    /// Not readable for the server.
    Encrypted,
}

impl Has {
    /// All, in the order in which they are told.
    pub const ALL: [Has; 9] =
        [Has::Link, Has::Image, Has::Video, Has::File, Has::Audio, Has::Poll, Has::Reaction, Has::Edit, Has::Thread];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Has::Link => "link",
            Has::Image => "image",
            Has::Video => "video",
            Has::File => "file",
            Has::Audio => "audio",
            Has::Poll => "poll",
            Has::Reaction => "reaction",
            Has::Edit => "edit",
            Has::Thread => "thread",
        }
    }

    /// Whether the message itself tells, and not what others say of it.
    #[must_use]
    pub fn is_told_by_itself(self) -> bool {
        !matches!(self, Has::Reaction | Has::Edit | Has::Thread)
    }
}

impl Is {
    /// All, in the order in which they are told.
    pub const ALL: [Is; 5] = [Is::Reply, Is::Thread, Is::Redacted, Is::Edited, Is::Encrypted];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Is::Reply => "reply",
            Is::Thread => "thread",
            Is::Redacted => "redacted",
            Is::Edited => "edited",
            Is::Encrypted => "encrypted",
        }
    }
}

impl<C> Query<C> {
    /// All of several.
    #[must_use]
    pub fn all(mut queries: Vec<Query<C>>) -> Query<C> {
        match (queries.len(), queries.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                queries.extend(last);
                let mut flat = Vec::new();
                for query in queries {
                    match query {
                        Query::All(inner) => flat.extend(inner),
                        other => flat.push(other),
                    }
                }
                Query::All(flat)
            }
        }
    }

    /// What has to hold, all of it.
    #[must_use]
    pub fn parts(&self) -> &[Query<C>] {
        match self {
            Query::All(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// The same with other conditions.
    pub fn resolve<D, E>(self, resolve: &mut dyn FnMut(C) -> Result<D, E>) -> Result<Query<D>, E> {
        let mut each = |queries: Vec<Query<C>>| -> Result<Vec<Query<D>>, E> {
            queries.into_iter().map(|query| query.resolve(resolve)).collect()
        };
        Ok(match self {
            Query::All(queries) => Query::All(each(queries)?),
            Query::Any(queries) => Query::Any(each(queries)?),
            Query::Not(query) => Query::Not(Box::new(query.resolve(resolve)?)),
            Query::Words(phrase) => Query::Words(phrase),
            Query::Is(condition) => Query::Is(resolve(condition)?),
        })
    }

    /// Whether it holds, by whether its parts do.
    pub fn holds<E>(&self, part: &mut dyn FnMut(Operand<'_, C>) -> Result<bool, E>) -> Result<bool, E> {
        Ok(match self {
            Query::All(queries) => {
                for query in queries {
                    if !query.holds(part)? {
                        return Ok(false);
                    }
                }
                true
            }
            Query::Any(queries) => {
                for query in queries {
                    if query.holds(part)? {
                        return Ok(true);
                    }
                }
                false
            }
            Query::Not(query) => !query.holds(part)?,
            Query::Words(phrase) => part(Operand::Words(phrase))?,
            Query::Is(condition) => part(Operand::Is(condition))?,
        })
    }

    /// Shows each part, with whether it is asked for (and not that it is not there).
    pub fn each_part<'q>(&'q self, is_wanted: bool, take: &mut dyn FnMut(Operand<'q, C>, bool)) {
        match self {
            Query::All(queries) | Query::Any(queries) => {
                for query in queries {
                    query.each_part(is_wanted, take);
                }
            }
            Query::Not(query) => query.each_part(!is_wanted, take),
            Query::Words(phrase) => take(Operand::Words(phrase), is_wanted),
            Query::Is(condition) => take(Operand::Is(condition), is_wanted),
        }
    }

    /// The phrases that are asked for.
    #[must_use]
    pub fn phrases(&self) -> Vec<&Phrase> {
        let mut phrases = Vec::new();
        self.each_part(true, &mut |part, is_wanted| {
            if let (Operand::Words(phrase), true) = (part, is_wanted) {
                phrases.push(phrase);
            }
        });
        phrases
    }

    /// Whether it asks for words anywhere.
    #[must_use]
    pub fn has_words(&self) -> bool {
        let mut has_words = false;
        self.each_part(true, &mut |part, _| has_words |= matches!(part, Operand::Words(_)));
        has_words
    }
}

/// A part of a query that cannot be taken apart.
#[derive(Debug)]
pub enum Operand<'q, C> {
    /// Words.
    Words(&'q Phrase),
    /// A condition.
    Is(&'q C),
}
