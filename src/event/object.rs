//! JSON objects, looked at member by member: what nobody asks for is skipped, which no nesting makes expensive. Refuses nothing: what
//! is not of the type that is asked for is as if it were not there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scan;

/// An object's members, as strangers wrote them: any may be missing, of another type, or there twice (the last one counts).
#[derive(Debug, Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The object that a JSON text is; an empty one if it is something else.
    #[must_use]
    pub fn of(text: &'a str) -> Object<'a> {
        Object(members(text))
    }

    /// A member's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rfind(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// A member that is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.get(key)?)
    }

    /// A member that is a string with something in it.
    #[must_use]
    pub fn given(&self, key: &str) -> Option<Cow<'a, str>> {
        self.text(key).filter(|text| !text.trim().is_empty())
    }

    /// A member that is an object.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Object<'a>> {
        let value = self.get(key)?.get();
        value.starts_with('{').then(|| Object::of(value))
    }

    /// A member that is a whole number.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.get(key)?.get().parse().ok()
    }

    /// The items of a member that is an array.
    #[must_use]
    pub fn items(&self, key: &str) -> Vec<&'a RawValue> {
        self.get(key).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
    }

    /// The strings in a member that is an array.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<Cow<'a, str>> {
        self.items(key).into_iter().filter_map(text).collect()
    }
}

/// The members of a JSON object, in order; none if it is no object.
pub(crate) fn members(text: &str) -> Vec<(Cow<'_, str>, &RawValue)> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(key) = map.next_key_seed(MemberName)? {
                members.push((key, map.next_value()?));
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Members).unwrap_or_default()
}

/// A member's name, borrowed unless it is escaped.
struct MemberName;

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for MemberName {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The text of a JSON string, none if the value is something else.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    scan::text(value.get())
}
