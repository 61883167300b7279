//! What the database lets us do, what it lacks, and that we leave it as it is.

use serde_json::json;
use synapse_export::archive::Counts;
use synapse_export::config::Config;
use synapse_export::export::Error;
use synapse_export::source::{Database, Standing};
use tokio::runtime::Runtime;

use crate::support::archive::{TestArchive, chain};
use crate::support::story::{EventRow, ROOM};
use crate::support::{self, Shape};
use crate::{SHAPES, server};

/// A bit of everything.
fn told(database: &support::Database) {
    database.event(EventRow::at(-1));
    database.event(EventRow::at(1));
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(2) });
    database.redaction("$1", EventRow { content: "{}".to_owned(), ..EventRow::at(3) });
    database.event(EventRow { outlier: true, ..EventRow::at(4) });
    database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(5) });
    database.de_outlier("$5", 6);
    database.execute(&format!("insert into room_aliases (room_alias, room_id) values ('#room:here.test', '{ROOM}')"));
}

/// The DSN of another role.
fn dsn_of(database: &support::Database, role: &str) -> String {
    database.dsn().replace("user=postgres", &format!("user={role}"))
}

fn error(archive: &TestArchive, dsn: &str) -> String {
    let error = archive.try_export(dsn).0.expect_err("this database cannot be exported");
    format!("{}; {}", chain(&error), error.hint().unwrap_or_default())
}

#[test]
fn the_reader_role_is_made_in_synapse_s_database_alone_and_without_errors() {
    let database = server(Shape::V1_163);
    let role = "reader_of_none";
    let script = include_str!("../../sql/reader_role.sql").replace("synapse_export", role);
    let made = || database.query_one_text(&format!("select count(*) from pg_roles where rolname = '{role}'"));
    database.execute("alter table event_json rename to event_json_");
    let output = database.try_psql(&script);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("is not Synapse's: no role was made"), "{said}");
    assert_eq!((said.matches("ERROR").count(), made().as_str()), (1, "0"), "{said}");
    // in one that is, nothing is done after the first error
    database.execute("alter table event_json_ rename to event_json; alter table rejections rename to rejections_");
    let output = database.try_psql(&script);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.matches("ERROR").count() == 1, "{said}");
    database.execute("alter table rejections_ rename to rejections");
    assert!(database.try_psql(&script).status.success() && made() == "1");
    database.execute(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn the_reader_role_suffices_and_may_do_nothing_else() {
    for (at, shape) in SHAPES.into_iter().enumerate() {
        let (database, archive) = (server(shape), TestArchive::new());
        told(&database);
        database.execute("insert into access_tokens values ('secret')");
        // A role belongs to all databases of a server.
        database.execute(&format!(
            "do $$ begin if {at} > 0 then drop owned by synapse_export; drop role synapse_export; end if; end $$"
        ));
        database.psql(include_str!("../../sql/reader_role.sql"));

        let (counts, _) = archive.try_export(&dsn_of(&database, "synapse_export"));
        let counts = counts.unwrap_or_else(|error| panic!("{shape:?}: {}", chain(&error)));
        assert_eq!((counts.live, counts.backfill, counts.rejected, counts.survivors), (5, 1, 1, 1));
        let all = TestArchive::new();
        all.export(&database);
        assert_eq!(archive.lines(), all.lines());

        let granted = "select string_agg(table_name || ' ' || column_name || ' ' || privilege_type, ', ' \
                                         order by table_name, column_name) \
                         from information_schema.column_privileges \
                        where grantee = 'synapse_export' \
                          and (privilege_type <> 'SELECT' \
                               or table_name not in ('events', 'event_json', 'ex_outlier_stream', 'rejections', \
                                                     'redactions', 'rooms', 'room_aliases', 'room_ban_redactions', \
                                                     'un_partial_stated_event_stream'))";
        let of =
            |table: &str, columns: &str| columns.split(' ').map(|c| format!("{table} {c} SELECT")).collect::<Vec<_>>();
        let tasks = if shape == Shape::V1_60 { Vec::new() } else { of("scheduled_tasks", "action id timestamp") };
        let expected = [
            of("background_updates", "update_name"),
            of("current_state_events", "event_id membership room_id state_key type"),
            of("erased_users", "user_id"),
            of("local_current_membership", "event_id membership room_id user_id"),
            of("room_memberships", "display_name event_id forgotten membership room_id user_id"),
            of("room_retention", "max_lifetime"),
            tasks,
            of("schema_version", "version"),
            of("server_keys_json", "from_server key_id key_json server_name"),
            of("server_signature_keys", "key_id server_name ts_valid_until_ms verify_key"),
            of("users", "name"),
        ];
        assert_eq!(database.query_one_text(granted), expected.concat().join(", "));
        let tables = "select string_agg(c.relname, ' ' order by c.relname) from pg_class c \
                       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' \
                         and has_table_privilege('synapse_export', c.oid, 'select')";
        let bans = if shape == Shape::V1_163 { " room_ban_redactions" } else { "" };
        let rejudged = if shape == Shape::V1_60 { "" } else { " un_partial_stated_event_stream" };
        let expected =
            format!("event_json events ex_outlier_stream redactions rejections room_aliases{bans} rooms{rejudged}");
        assert_eq!(database.query_one_text(tables), expected);
        let may =
            |what: &str| database.query_one_text(&format!("select has_table_privilege('synapse_export', {what})"));
        assert_eq!(may("'access_tokens', 'select'"), "f");
        assert_eq!(may("'users', 'select'"), "f");
        assert_eq!(may("'events', 'insert, update, delete, truncate'"), "f");
        database.execute("drop owned by synapse_export");
    }
}

#[test]
fn what_a_role_may_not_read_is_named_with_the_grant_that_helps() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    told(&database);
    let role = format!("Reader {}", database.query_one_text("select current_database()"));
    database
        .execute(&format!(r#"create role "{role}" login; grant select on all tables in schema public to "{role}""#));
    let dsn = dsn_of(&database, &format!("'{role}'"));
    database.execute(&format!(r#"revoke select on redactions from "{role}""#));
    let error_text = error(&archive, &dsn);
    assert!(error_text.contains(&format!(r#"GRANT SELECT ON redactions TO "{role}""#)), "{error_text}");
    database.execute(&format!(r#"revoke select on events from "{role}""#));
    let error_text = error(&archive, &dsn);
    assert!(error_text.contains(&format!(r#"GRANT SELECT ON events, redactions TO "{role}""#)), "{error_text}");

    // The grant as it is printed does help.
    let grant = error_text.split("run: ").nth(1).unwrap().split(';').next().unwrap();
    database.execute(grant);
    assert_eq!(archive.try_export(&dsn).0.unwrap().new_events(), 6);
    assert_eq!(archive.one("select count(*) from run"), "1", "a run has begun only where one could");

    // Only columns, without the table: as sql/reader_role.sql does with users.
    database.execute(&format!(
        r#"revoke select on rooms from "{role}"; grant select (room_id, room_version) on rooms to "{role}""#
    ));
    assert_eq!(archive.try_export(&dsn).0.unwrap(), Counts::default());
    // Survivors are told by the names of users or, without them, of local members.
    database.execute(&format!(
        r#"revoke select on users from "{role}";
           insert into local_current_membership (room_id, user_id, event_id, membership) values ('{ROOM}', '@alice:here.test', '$1', 'join')"#
    ));
    let archive = TestArchive::new();
    assert_eq!(archive.try_export(&dsn).0.unwrap().survivors, 1);
    database.execute(&format!(r#"drop owned by "{role}"; drop role "{role}""#));
}

#[test]
fn what_is_no_synapse_database_is_told_by_what_it_lacks() {
    let archive = TestArchive::new();
    let database = server(Shape::V1_163);
    database.execute("alter table events drop column sender; alter table rooms drop column room_version");
    let text = error(&archive, &database.dsn());
    assert!(text.contains("events.sender") && text.contains("rooms.room_version"), "{text}");
    database.execute("drop table event_json, redactions");
    let text = error(&archive, &database.dsn());
    assert!(text.contains("event_json") && text.contains("redactions"), "{text}");
    database.execute("drop schema public cascade");
    let text = error(&archive, &database.dsn());
    assert!(text.contains("no Synapse database") && text.contains("table events"), "{text}");
    assert_eq!(archive.lines().len(), 0);
}

#[test]
fn what_older_and_newer_servers_lack_is_done_without() {
    let whole = TestArchive::new();
    let database = server(Shape::V1_163);
    told(&database);
    whole.export(&database);
    let lacking = [
        "alter table events drop column rejection_reason",
        "alter table events drop column state_key",
        "alter table redactions drop column recheck",
        "alter table ex_outlier_stream drop column instance_name",
        "alter table events drop column instance_name",
        "drop table users",
        "drop table local_current_membership, room_aliases, room_stats_state, stream_positions, background_updates",
    ];
    for (at, lack) in lacking.iter().enumerate() {
        database.execute(lack);
        let archive = TestArchive::new();
        archive.export(&database);
        let mut expected = whole.lines();
        if at >= 5 {
            // No user says what this server is called.
            expected.remove("$4");
            if at == 5 {
                database.execute("insert into local_current_membership values ('', '@alice:here.test', '', 'join', 1)");
                let archive = TestArchive::new();
                archive.export(&database);
                assert_eq!(archive.lines(), whole.lines(), "{lack}");
            }
        }
        assert_eq!(archive.lines(), expected, "{lack}");
        assert_eq!(archive.redacted_by("$1"), "$3", "{lack}");
    }
}

#[test]
fn an_old_state_event_is_known_by_its_pdu_where_the_column_is_missing() {
    let (database, archive) = (server(Shape::V1_90), TestArchive::new());
    let outlier = |id: i64| EventRow { outlier: true, ..EventRow::at(id) };
    database.event(EventRow { state_key: Some("key".to_owned()), ..outlier(1) });
    database.event(outlier(2));
    database.event(EventRow { state_key: Some("key".to_owned()), ..EventRow::at(3) });
    database.execute("alter table events drop column state_key");
    archive.export(&database);
    assert_eq!(archive.ids(), "$2 $3");
    assert_eq!(archive.one("select state_key from event where event_id = '$3'"), "key");
}

/// A function that tells the session's settings by an error after it has tried to change them.
const TELLTALE: &str = "
    create function telltale() returns boolean language plpgsql volatile as $$
    declare told text := '';
    begin
        begin
            insert into canary values (1);
            told := 'wrote';
        exception when others then told := sqlstate;
        end;
        begin
            perform set_config('transaction_read_only', 'off', false);
            told := told || ' unlocked';
        exception when others then told := told || ' ' || sqlstate;
        end;
        raise exception 'told: % % % %', told, current_setting('transaction_read_only'),
            current_setting('default_transaction_read_only'), current_setting('application_name');
    end $$;
    create table canary (n integer);";

#[test]
fn even_a_superusers_session_cannot_write() {
    // Whatever statement it comes with: the first of a session, a page, a probe.
    let places = [
        ("users", "create view users as select name from users_ where telltale()"),
        ("event_json", "create view event_json as select * from event_json_ where telltale()"),
        ("rooms", "create view rooms as select * from rooms_ where telltale()"),
    ];
    for (table, view) in places {
        let (database, archive) = (server(Shape::V1_163), TestArchive::new());
        told(&database);
        database.execute(TELLTALE);
        database.execute(&format!("alter table {table} rename to {table}_; {view}"));
        let text = error(&archive, &database.dsn());
        // 25006: read_only_sql_transaction; 25001: active_sql_transaction, too late to change it
        let expected = format!("told: 25006 25001 on on synapse-export {}", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&expected), "{table}: {text}");
        assert_eq!(database.query_one_text("select count(*) from canary"), "0");
    }
}

#[test]
fn a_statement_that_the_server_ends_is_an_error_and_what_was_read_stays() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    told(&database);
    // The live stream can be read, the backfill stream cannot.
    database.execute(
        "alter table rooms rename to rooms_; \
         create function end_of_session(id text) returns boolean language plpgsql as \
             $$ begin return id <> '!old:here.test' or pg_terminate_backend(pg_backend_pid()); end $$; \
         create view rooms as select * from rooms_ where end_of_session(room_id)",
    );
    database.room("!old:here.test", "10");
    database.event(EventRow { room_id: "!old:here.test".to_owned(), ..EventRow::at(-2) });
    let (result, _) = archive.try_export(&database.dsn());
    let failed = result.unwrap_err();
    assert!(matches!(&failed, Error::Source(source) if source.is_transient()), "{failed:?}");
    assert!(chain(&failed).contains("gave up after"), "{failed:?}");
    assert_eq!(archive.ids(), "$-1 $1 $2 $3 $4 $5", "what was read before the session ended");
    database.execute("drop view rooms; alter table rooms_ rename to rooms");
    assert_eq!(archive.export(&database).backfill, 1);
}

/// Amazon Aurora has no write-ahead log to ask about, and says so.
#[test]
fn a_server_that_tells_nothing_of_its_log_is_exported() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    told(&database);
    for name in ["pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_current_wal_insert_lsn"] {
        database.execute(&format!(
            "create function public.{name}() returns pg_lsn language plpgsql as $$
             begin raise 'not supported here' using errcode = '0A000'; end $$"
        ));
    }
    database.execute(&format!("alter database {} set search_path = public, pg_catalog", database.name()));
    let dsn = database.dsn();
    let (counts, _) = archive.try_export(&dsn);
    assert_eq!(counts.unwrap_or_else(|error| panic!("{}", chain(&error))).new_events(), 6);
    let config = Config::new(Some(&dsn), |_| None).unwrap();
    let standing = Runtime::new().unwrap().block_on(async { Database::connect(&config).await?.standing().await });
    assert_eq!(standing.unwrap(), Standing::Replica(None));
}

#[test]
fn an_abandoned_room_that_takes_too_long_hides_no_other() {
    let database = server(Shape::V1_163);
    database.room("!there:here.test", "10");
    database.event(EventRow::state(1, "m.room.name", "", &json!({"name": "Abandoned"})));
    database.event(EventRow::state(2, "m.room.name", "", &json!({"name": "There"})).within("!there:here.test"));
    database.execute(&format!(
        "delete from current_state_events where room_id = '{ROOM}';
         create schema slow;
         create view slow.rejections as
             select event_id, reason, last_check from public.rejections
              union all
             select event_id, null, null from public.events where event_id = '$1' and pg_sleep(3) is null"
    ));
    for setting in ["search_path = slow, public", "statement_timeout = 1000"] {
        database.execute(&format!("alter database {} set {setting}", database.name()));
    }
    let config = Config::new(Some(&database.dsn()), |_| None).unwrap();
    let rooms = Runtime::new().unwrap().block_on(async { Database::connect(&config).await?.rooms("").await }).unwrap();
    assert_eq!(rooms.iter().map(|room| &*room.name).collect::<Vec<_>>(), [ROOM, "There"]);
}
