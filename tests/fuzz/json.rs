//! JSON as a strict parser reads it: no half surrogate pairs, no number beyond a double, the last of equal keys counts.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object by name, as they are written.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// A text's value and how deep it is; none if it is no JSON, or nested more than `levels` deep.
pub(super) fn read(text: &str, levels: usize) -> Option<Value> {
    // each level takes several kilobytes of stack
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, || deeper(text, levels));
        reading.expect("a thread").join().expect("no panic")
    })
}

fn deeper(text: &str, levels: usize) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(value) => Some(value).filter(|value| depth(value) <= levels),
        // serde_json's own limit is lower
        Err(error) if error.to_string().contains("recursion limit") => {
            let levels = levels.checked_sub(1)?;
            if let Ok(members) = serde_json::from_str::<Members<'_>>(text) {
                members.into_iter().map(|(key, value)| Some((key, deeper(value.get(), levels)?))).collect()
            } else {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                items.into_iter().map(|item| deeper(item.get(), levels)).collect()
            }
        }
        Err(_) => None,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
