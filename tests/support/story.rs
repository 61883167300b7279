//! Synapse's rows as a test tells of them: rooms, events, redactions, and what happens to them later.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::{Database, Shape, wait};

/// Noon of 2026-11-22 in UTC: an event with stream ordering *n* is from *n* seconds later, unless its test says else.
pub const NOON: i64 = 1_795_348_800_000;
/// A day in milliseconds.
pub const DAY: i64 = 24 * 60 * 60 * 1000;

/// The room of events that name none.
pub const ROOM: &str = "!room:here.test";

/// An event as Synapse stores it. Start from [`EventRow::at`] or [`EventRow::message`], and name what matters.
#[derive(Clone, Debug)]
pub struct EventRow {
    pub stream_ordering: i64,
    pub event_id: String,
    pub room_id: String,
    pub event_type: String,
    /// Makes it a state event: one that is neither outlier nor rejected becomes the room's current state.
    pub state_key: Option<String>,
    pub sender: String,
    /// JSON text, which comes into the PDU as it is.
    pub content: String,
    /// `origin_server_ts`; the PDU has none without it.
    pub ts: Option<i64>,
    pub received_ts: Option<i64>,
    /// Also the topological ordering.
    pub depth: i64,
    pub outlier: bool,
    /// Why Synapse rejected it.
    pub rejected: Option<String>,
    pub internal_metadata: String,
    /// For how long it is sticky, in milliseconds.
    pub sticky: Option<i64>,
    /// 1 (rooms of version 1 and 2) puts the event ID into the PDU.
    pub format_version: i32,
    /// Stands for the whole PDU, whatever the other fields say.
    pub json: Option<String>,
}

impl EventRow {
    /// A message from Alice with `$<stream_ordering>` as its ID, received when it was sent; if the stream ordering is
    /// negative, a second before or earlier the first live event, and received as if it were live.
    pub fn at(stream_ordering: i64) -> Self {
        Self {
            stream_ordering,
            event_id: format!("${stream_ordering}"),
            room_id: ROOM.to_owned(),
            event_type: "m.room.message".to_owned(),
            state_key: None,
            sender: "@alice:here.test".to_owned(),
            content: message("hello"),
            ts: Some(NOON + 1000 * stream_ordering),
            received_ts: Some(NOON + 1000 * stream_ordering.abs()),
            depth: 1_000_000 + stream_ordering,
            outlier: false,
            rejected: None,
            internal_metadata: "{}".to_owned(),
            sticky: None,
            format_version: 3,
            json: None,
        }
    }

    /// A message that says `body`.
    pub fn message(stream_ordering: i64, body: &str) -> Self {
        Self { content: message(body), ..Self::at(stream_ordering) }
    }

    /// A state event.
    pub fn state(stream_ordering: i64, event_type: &str, state_key: &str, content: &Value) -> Self {
        Self {
            event_type: event_type.to_owned(),
            state_key: Some(state_key.to_owned()),
            content: content.to_string(),
            ..Self::at(stream_ordering)
        }
    }

    /// The membership of somebody, by themselves.
    pub fn member(stream_ordering: i64, user_id: &str, membership: &str) -> Self {
        let content = json!({"membership": membership});
        Self { sender: user_id.to_owned(), ..Self::state(stream_ordering, "m.room.member", user_id, &content) }
    }

    /// The same in another room.
    pub fn within(self, room_id: &str) -> Self {
        Self { room_id: room_id.to_owned(), ..self }
    }

    fn pdu(&self, redacts: Option<&str>) -> String {
        let mut keys = vec![
            ("auth_events", "[]".to_owned()),
            ("content", self.content.clone()),
            ("depth", self.depth.to_string()),
            ("hashes", r#"{"sha256":""}"#.to_owned()),
            ("prev_events", "[]".to_owned()),
            ("room_id", json!(self.room_id).to_string()),
            ("sender", json!(self.sender).to_string()),
            ("signatures", "{}".to_owned()),
            ("type", json!(self.event_type).to_string()),
            ("unsigned", "{}".to_owned()),
        ];
        keys.extend((self.format_version == 1).then(|| ("event_id", json!(self.event_id).to_string())));
        keys.extend(self.ts.map(|ts| ("origin_server_ts", ts.to_string())));
        keys.extend(self.state_key.as_ref().map(|state_key| ("state_key", json!(state_key).to_string())));
        keys.extend(self.sticky.map(|ms| ("msc4354_sticky", json!({"duration_ms": ms}).to_string())));
        keys.extend(redacts.map(|redacts| ("redacts", json!(redacts).to_string())));
        let keys: Vec<String> = keys.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", keys.join(","))
    }
}

/// The content of a text message.
pub fn message(body: &str) -> String {
    json!({"msgtype": "m.text", "body": body}).to_string()
}

impl Database {
    /// A user of this server.
    #[track_caller]
    pub fn user(&self, name: &str) {
        self.change("insert into users (name, password_hash) values ($1, '')", &[&name]);
    }

    /// A room of this version.
    #[track_caller]
    pub fn room(&self, room_id: &str, version: &str) {
        let sql = "insert into rooms (room_id, is_public, creator, room_version) values ($1, false, '', $2)";
        self.change(sql, &[&room_id, &version]);
    }

    /// Runs statements while no unique index of a table keeps anything out, as one does not that is out of order. PostgreSQL takes
    /// them for unique before and after.
    #[track_caller]
    pub fn with_broken_indexes(&self, table: &str, sql: &str) {
        let indexes = format!(
            "select string_agg(indexrelid::text, ',') from pg_index where indrelid = '{table}'::regclass and indisunique"
        );
        let indexes = self.query_one_text(&indexes);
        let unique =
            |unique: bool| format!("update pg_index set indisunique = {unique} where indexrelid in ({indexes})");
        self.execute(&unique(false));
        self.execute(sql);
        self.execute(&unique(true));
    }

    /// Stores an event.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "a row is written where it is told of")]
    pub fn event(&self, row: EventRow) {
        self.store(&row, None);
    }

    /// Stores the messages with these stream orderings.
    #[track_caller]
    pub fn events(&self, stream_orderings: impl IntoIterator<Item = i64>) {
        for stream_ordering in stream_orderings {
            self.event(EventRow::at(stream_ordering));
        }
    }

    /// Stores a redaction of `target`, which need not exist. The PDU names the target itself, unless its content does,
    /// as in rooms of version 11 and later.
    #[track_caller]
    pub fn redaction(&self, target: &str, row: EventRow) {
        let content: Value = serde_json::from_str(&row.content).expect("a redaction's content is JSON");
        let recheck = row.internal_metadata.contains(r#""recheck_redaction":true"#);
        let row = EventRow { event_type: "m.room.redaction".to_owned(), ..row };
        self.store(&row, content.get("redacts").is_none().then_some(target));
        let sql = "insert into redactions (event_id, redacts, received_ts) values ($1, $2, $3)";
        self.change(sql, &[&row.event_id, &target, &row.received_ts]);
        if self.shape == Shape::V1_163 {
            self.change("update redactions set recheck = $2 where event_id = $1", &[&row.event_id, &recheck]);
        }
    }

    /// Lets the ban `by` redact what a user sent, up to a stream ordering, as Synapse does since 1.136.
    #[track_caller]
    pub fn ban_redacts(&self, user_id: &str, by: &str, until: Option<i64>) {
        let sql = "insert into room_ban_redactions (room_id, user_id, redacting_event_id, redact_end_ordering) \
                   values ($1, $2, $3, $4) on conflict (room_id, user_id) \
                   do update set redacting_event_id = $3, redact_end_ordering = $4";
        self.change(sql, &[&ROOM, &user_id, &by, &until]);
    }

    /// Rejects an event that was accepted, or the reverse, as Synapse does once it has all of the state of a room that it had
    /// joined with a part of it; told of at this id of a stream, which older versions have not.
    #[track_caller]
    pub fn rejudge(&self, event_id: &str, id: i64, rejected: bool) {
        let reason = rejected.then_some("auth_error");
        self.change("update events set rejection_reason = $2 where event_id = $1", &[&event_id, &reason]);
        self.change("delete from rejections where event_id = $1", &[&event_id]);
        let sql =
            "insert into rejections (event_id, reason, last_check) select $1, $2::text, '' where $2::text is not null";
        self.change(sql, &[&event_id, &reason]);
        let sql = "insert into un_partial_stated_event_stream (stream_id, instance_name, event_id, rejection_status_changed) \
                   values ($1, 'master', $2, true)";
        self.change(sql, &[&id, &event_id]);
    }

    /// Accepts an event that was soft-failed, as Synapse does when a sticky one turns out to be allowed after all.
    #[track_caller]
    pub fn accept(&self, event_id: &str) {
        let sql = "update event_json set internal_metadata = jsonb_set(internal_metadata::jsonb, '{soft_failed}', 'false')::text \
                   where event_id = $1";
        self.change(sql, &[&event_id]);
    }

    /// Prunes a redacted event, as Synapse does some days after its redaction.
    #[track_caller]
    pub fn censor(&self, event_id: &str) {
        let pdu = self.query_one_text(&format!("select json from event_json where event_id = '{event_id}'"));
        let mut pdu: Value = serde_json::from_str(&pdu).expect("only what is JSON can be censored");
        pdu["content"] = json!({});
        self.change("update event_json set json = $2 where event_id = $1", &[&event_id, &pdu.to_string()]);
        self.change("update redactions set have_censored = true where redacts = $1", &[&event_id]);
    }

    /// Takes away the current state of a room, as Synapse does when its last local user leaves.
    #[track_caller]
    pub fn forget_state(&self, room_id: &str) {
        self.change("delete from current_state_events where room_id = $1", &[&room_id]);
    }

    /// Makes an outlier part of its room's history: it keeps its stream ordering, and is announced at a new position.
    #[track_caller]
    pub fn de_outlier(&self, event_id: &str, position: i64) {
        self.change("update events set outlier = false where event_id = $1", &[&event_id]);
        let sql = "insert into ex_outlier_stream (event_stream_ordering, event_id, state_group) values ($1, $2, 1)";
        self.change(sql, &[&position, &event_id]);
    }

    #[track_caller]
    fn store(&self, row: &EventRow, redacts: Option<&str>) {
        // Synapse 1.60 has the column, filled by a background update that this shape is still waiting for.
        let rejection_reason = row.rejected.clone().filter(|_| self.shape != Shape::V1_60);
        let sql = "insert into events (stream_ordering, topological_ordering, depth, event_id, type, room_id, processed, \
                   outlier, origin_server_ts, received_ts, sender, contains_url, instance_name, state_key, \
                   rejection_reason) \
                   values ($1::bigint, $2, $2, $3, $4, $5, true, $6, $7, $8, $9, false, 'master', $10, $11)";
        self.change(
            sql,
            &[
                &row.stream_ordering,
                &row.depth,
                &row.event_id,
                &row.event_type,
                &row.room_id,
                &row.outlier,
                &row.ts,
                &row.received_ts,
                &row.sender,
                &row.state_key,
                &rejection_reason,
            ],
        );

        let pdu = row.json.clone().unwrap_or_else(|| row.pdu(redacts));
        let sql = "insert into event_json (event_id, room_id, internal_metadata, json, format_version) \
                   values ($1, $2, $3, $4, $5)";
        self.change(sql, &[&row.event_id, &row.room_id, &row.internal_metadata, &pdu, &row.format_version]);

        if let Some(reason) = &row.rejected {
            let sql = "insert into rejections (event_id, reason, last_check) values ($1, $2, '')";
            self.change(sql, &[&row.event_id, reason]);
        }
        let Some(state_key) = &row.state_key else { return };
        let content: Value = serde_json::from_str(&row.content).unwrap_or_default();
        let membership = content["membership"].as_str().filter(|_| row.event_type == "m.room.member");
        if let Some(membership) = membership {
            let sql = "insert into room_memberships (event_id, user_id, sender, room_id, membership, display_name) \
                       values ($1, $2, $3, $4, $5, $6)";
            let name = content["displayname"].as_str();
            self.change(sql, &[&row.event_id, state_key, &row.sender, &row.room_id, &membership, &name]);
            if state_key.ends_with(":here.test") && !row.outlier && row.rejected.is_none() {
                let sql = "insert into local_current_membership (room_id, user_id, event_id, membership) \
                           values ($1, $2, $3, $4) \
                           on conflict (user_id, room_id) \
                           do update set event_id = excluded.event_id, membership = excluded.membership";
                self.change(sql, &[&row.room_id, state_key, &row.event_id, &membership]);
            }
        }
        let sql = "insert into state_events (event_id, room_id, type, state_key) values ($1, $2, $3, $4)";
        self.change(sql, &[&row.event_id, &row.room_id, &row.event_type, state_key]);
        if !row.outlier && row.rejected.is_none() {
            let sql = "insert into current_state_events (event_id, room_id, type, state_key, membership) \
                       values ($1, $2, $3, $4, $5) \
                       on conflict (room_id, type, state_key) \
                       do update set event_id = excluded.event_id, membership = excluded.membership";
            self.change(sql, &[&row.event_id, &row.room_id, &row.event_type, state_key, &membership]);
        }
    }

    #[track_caller]
    fn change(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) {
        if let Err(error) = wait(self.client.execute(sql, parameters)) {
            panic!("{sql}\n{error:?}");
        }
    }
}
