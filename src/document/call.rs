//! Calls as events have them: those of two people, whose events are told by their `call_id` ("Voice over IP" of the client-server
//! specification), and those of many, in which each device says that it takes part (MSC3401, MSC4143). Knows no names.

use std::collections::HashMap;

use crate::event::{EventId, Object, UserId};

/// How many calls of a day are known; others are told without their end.
const MOST: usize = 2_000;

/// The types of events that make up a call; all others between devices say nothing to people.
pub(crate) const SIGNALS: [&str; 4] = ["m.call.invite", "m.call.answer", "m.call.reject", "m.call.hangup"];

/// What an event does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Invite,
    Answer,
    Reject,
    Hangup,
}

impl Signal {
    /// What events of a type do.
    pub(crate) fn of(kind: &str) -> Option<Signal> {
        let place = SIGNALS.iter().position(|signal| *signal == kind)?;
        Some([Signal::Invite, Signal::Answer, Signal::Reject, Signal::Hangup][place])
    }
}

/// Whether events of a type are only between devices: how a call is brought about, or that it rings.
pub(crate) fn is_plumbing(kind: &str) -> bool {
    matches!(
        kind,
        "m.call.candidates"
            | "m.call.select_answer"
            | "m.call.negotiate"
            | "m.call.replaces"
            | "m.call.notify"
            | "m.call.sdp_stream_metadata_changed"
            | "m.call.asserted_identity"
            | "m.call.encryption_keys"
            | "m.rtc.notification"
            | "m.rtc.encryption_key"
            | "org.matrix.call.sdp_stream_metadata_changed"
            | "org.matrix.call.asserted_identity"
            | "org.matrix.msc4075.call.notify"
            | "org.matrix.msc4075.rtc.notification"
            | "org.matrix.msc4143.rtc.encryption_key"
            | "io.element.call.encryption_keys"
    )
}

/// Whether events of a type say that a device takes part in a call, or no longer.
pub(crate) fn is_membership(kind: &str) -> bool {
    matches!(
        kind,
        "m.call.member" | "org.matrix.msc3401.call.member" | "m.rtc.member" | "org.matrix.msc4143.rtc.member"
    )
}

/// Whether events of a type decline a call of many (MSC4310).
pub(crate) fn is_decline(kind: &str) -> bool {
    matches!(kind, "m.rtc.decline" | "org.matrix.msc4310.rtc.decline")
}

/// What a membership does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    Joins,
    /// It says once more that the device is there.
    Stays,
    Leaves,
}

/// What the content of a membership says that was sent at a time.
pub(crate) fn taking(content: &str, at: Option<i64>) -> Taking {
    /// How long after it has come a device says so, at most. Milliseconds.
    const FIRST: i64 = 60_000;
    let content = Object::of(content);
    let first = content.items("memberships").into_iter().find(|item| item.get().starts_with('{'));
    let first = first.map(|item| Object::of(item.get()));
    let is_there = first.is_some() || content.get("application").is_some_and(|value| value.get() != "null");
    if !is_there || content.get("leave_reason").is_some() {
        return Taking::Leaves;
    }
    let since = first.unwrap_or(content).integer("created_ts");
    match since.zip(at) {
        Some((since, at)) if at.saturating_sub(since) > FIRST => Taking::Stays,
        _ => Taking::Joins,
    }
}

/// A call of two people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// The event that it began with.
    pub(crate) invite: String,
    pub(crate) caller: String,
    /// Who answered, and when.
    pub(crate) answered: Option<(String, Option<i64>)>,
    pub(crate) declined: Option<(String, Option<i64>)>,
    pub(crate) is_over: bool,
    /// When it ended.
    pub(crate) ended: Option<i64>,
}

impl Call {
    /// How long they talked, in milliseconds.
    pub(crate) fn talked(&self) -> Option<i64> {
        let (_, since) = self.answered.as_ref()?;
        Some(self.ended?.saturating_sub((*since)?).max(0))
    }
}

/// The calls of some time, whose events are taken in order.
#[derive(Debug, Default)]
pub(crate) struct Calls(HashMap<String, Call>);

impl Calls {
    /// Takes in what an event does.
    pub(crate) fn take(
        &mut self,
        signal: Signal,
        event: EventId<'_>,
        sender: UserId<'_>,
        at: Option<i64>,
        content: &str,
    ) {
        let Some(id) = call_id(content) else { return };
        if signal == Signal::Invite {
            if self.0.len() < MOST {
                let call = Call { invite: event.to_string(), caller: sender.to_string(), ..Call::default() };
                self.0.entry(id).or_insert(call);
            }
            return;
        }
        let Some(call) = self.0.get_mut(&id).filter(|call| !call.is_over) else { return };
        let is_caller = call.caller == sender.as_str();
        let is_open = call.answered.is_none() && call.declined.is_none();
        let by = || Some((sender.to_string(), at));
        match signal {
            Signal::Answer if is_open && !is_caller => call.answered = by(),
            Signal::Reject if is_open && !is_caller => call.declined = by(),
            // before there was another way to decline
            Signal::Hangup if is_open && !is_caller => {
                call.declined = by();
                (call.is_over, call.ended) = (true, at);
            }
            Signal::Hangup
                if is_caller || call.answered.as_ref().is_some_and(|(answering, _)| *answering == sender.as_str()) =>
            {
                (call.is_over, call.ended) = (true, at);
            }
            _ => {}
        }
    }

    /// The call that an event's content names.
    pub(crate) fn of(&self, content: &str) -> Option<&Call> {
        self.0.get(&call_id(content)?)
    }
}

/// The id that all events of a call have, shortened to what is enough to tell calls apart.
fn call_id(content: &str) -> Option<String> {
    Some(Object::of(content).text("call_id")?.chars().take(100).collect())
}

/// Whether a call was made with a camera.
pub(crate) fn is_video(invite: &str) -> bool {
    let offer =
        Object::of(invite).object("offer").and_then(|offer| offer.text("sdp").map(std::borrow::Cow::into_owned));
    offer.is_some_and(|sdp| sdp.lines().any(|line| line.starts_with("m=video")))
}

/// Who alone is called, if the call says so.
pub(crate) fn invited(invite: &str) -> Option<String> {
    Some(Object::of(invite).given("invitee")?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn call(events: &[(Signal, &str)]) -> Call {
        let mut calls = Calls::default();
        let content = r#"{"call_id":"c"}"#;
        for ((signal, sender), at) in events.iter().zip(0..) {
            calls.take(*signal, EventId::of(&format!("${at}")), UserId::of(sender), Some(1_000 * at), content);
        }
        calls.of(content).cloned().expect("a call")
    }

    #[test]
    fn a_call_is_answered_declined_or_neither() {
        use Signal::{Answer, Hangup, Invite, Reject};
        let answered = call(&[
            (Invite, "a"),
            (Answer, "a"),
            (Answer, "b"),
            (Reject, "c"),
            (Hangup, "c"),
            (Hangup, "b"),
            (Hangup, "a"),
        ]);
        assert_eq!((answered.answered.clone(), answered.ended), (Some(("b".to_owned(), Some(2_000))), Some(5_000)));
        assert_eq!((answered.talked(), answered.declined), (Some(3_000), None));
        let missed = call(&[(Invite, "a"), (Invite, "b"), (Reject, "a"), (Hangup, "a"), (Answer, "b")]);
        assert_eq!((missed.invite, missed.caller), ("$0".to_owned(), "a".to_owned()));
        assert_eq!((missed.answered, missed.declined, missed.ended), (None, None, Some(3_000)));
        for declined in [call(&[(Invite, "a"), (Reject, "b"), (Answer, "b")]), call(&[(Invite, "a"), (Hangup, "b")])] {
            assert_eq!((declined.declined, declined.answered), (Some(("b".to_owned(), Some(1_000))), None));
        }
    }

    #[test]
    fn a_device_joins_stays_or_leaves() {
        for (content, expected) in [
            ("{}", Taking::Leaves),
            (r#"{"memberships":[]}"#, Taking::Leaves),
            (r#"{"memberships":[{"application":"m.call"}]}"#, Taking::Joins),
            (r#"{"memberships":[{"created_ts":0}]}"#, Taking::Stays),
            (r#"{"application":"m.call"}"#, Taking::Joins),
            (r#"{"application":{"type":"m.call"},"created_ts":99000}"#, Taking::Joins),
            (r#"{"application":"m.call","created_ts":1000}"#, Taking::Stays),
        ] {
            assert_eq!(taking(content, Some(100_000)), expected, "{content}");
        }
    }

    #[test]
    fn what_is_called_with_a_camera_is_known() {
        assert!(is_video(r#"{"offer":{"sdp":"v=0\r\nm=audio 9\r\nm=video 9\r\n"}}"#));
        assert!(!is_video(r#"{"offer":{"sdp":"v=0\r\nm=audio 9 m=video\r\n"}}"#));
        assert!(!is_video("[]"));
    }
}
