//! What stands around blocks, as HTML: heads and ends of pages, a room's calendar, the list of rooms. Looks nothing up.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Datelike as _;
use sha2::{Digest as _, Sha256};

use super::super::page::{
    Cover, DayHead, DayLine, Person, PersonCover, RoomFacts, RoomLine, Title, rows_of_cover, rows_of_person,
};
use super::super::text::{counted, shortened};
use super::super::time;
use super::spans::room_link;
use super::text::{Markup, escaped, inline, name};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What every page has.
struct Shell {
    policy: String,
    generator: &'static str,
    style: Markup,
}

static SHELL: LazyLock<Shell> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    Shell {
        policy: format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src 'self' data:; media-src 'self' data:; \
             base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        ),
        generator: concat!("synapse-export ", env!("CARGO_PKG_VERSION")),
        style: Markup(STYLE.to_owned()),
    }
});

/// How the index of rooms begins, by which it is told where nothing else tells.
pub(crate) const INDEX_BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";

fn rendered(template: &impl Template) -> String {
    // into memory, nothing fails but a template that does
    template.render().unwrap_or_default()
}

/// The file of a page of a day.
pub(crate) fn page_file(day: &str, number: usize) -> String {
    if number == 1 { format!("{day}.html") } else { format!("{day}.{number}.html") }
}

#[derive(Template)]
#[template(path = "day.html")]
struct DayTemplate<'a> {
    shell: &'static Shell,
    head: &'a DayHead<'a>,
    long: String,
    zone: String,
    page: usize,
    pages: Vec<(usize, String)>,
}

/// What stands above a day's blocks, on one of its pages.
pub(crate) fn day_head(head: &DayHead<'_>, page: usize, pages: usize) -> String {
    let (long, zone) = (time::long(head.day), head.zone.to_string());
    let pages = (1..=pages).map(|number| (number, page_file(head.day, number))).collect();
    rendered(&DayTemplate { shell: &SHELL, head, long, zone, page, pages })
}

/// What ends a page.
pub(crate) fn end() -> String {
    format!(
        "</main>\n<footer><p>made by {}</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        SHELL.generator
    )
}

#[derive(Template)]
#[template(path = "cover.html")]
struct CoverTemplate<'a> {
    shell: &'static Shell,
    title: &'a str,
    is_utc: bool,
    rows: Vec<(&'static str, Markup)>,
    zone: String,
    decrypts: bool,
    parts: &'a [(String, String)],
}

/// What a document about a whole room begins with; `parts` are other files that it is in, and what they are called.
pub(crate) fn cover(of: &Cover<'_>, decrypts: bool, parts: &[(String, String)]) -> String {
    let people = of.people.iter().map(|(called, user_id)| {
        let id = format!("<code>{}</code>", name(user_id));
        if called == user_id { id } else { format!("<bdi>{}</bdi> {id}", inline(called)) }
    });
    let people: Vec<String> = people.chain((of.more_people > 0).then(|| format!("{} more", of.more_people))).collect();
    let mut rows = vec![("room", Markup(format!("<code>{}</code>", name(of.room_id))))];
    for (what, value) in rows_of_cover(of, SHELL.generator) {
        let value = match what {
            "took part" => Markup(people.join(", ")),
            "addresses" => name(&value),
            _ => inline(&value),
        };
        rows.push((what, value));
    }
    let (title, is_utc, zone) = (&*of.title.name, of.zone.is_utc(), of.zone.to_string());
    rendered(&CoverTemplate { shell: &SHELL, title, is_utc, rows, zone, decrypts, parts })
}

/// What all that one person has sent begins with, as [`cover`].
pub(crate) fn person_cover(of: &PersonCover<'_>, decrypts: bool, parts: &[(String, String)]) -> String {
    let mut rows = vec![("person", Markup(format!("<code>{}</code>", name(of.user_id))))];
    rows.extend(rows_of_person(of, SHELL.generator).into_iter().map(|(what, value)| (what, inline(&value))));
    let (title, is_utc, zone) = (of.user_id, of.zone.is_utc(), of.zone.to_string());
    rendered(&CoverTemplate { shell: &SHELL, title, is_utc, rows, zone, decrypts, parts })
}

/// What stands above what somebody has sent to a room, in a document of several.
pub(crate) fn room_heading(title: &Title, room_id: &str) -> String {
    format!("<h2><bdi>{}</bdi></h2><p><code>{}</code></p>\n", inline(&title.name), name(room_id))
}

#[derive(Template)]
#[template(path = "part.html")]
struct PartTemplate<'a> {
    shell: &'static Shell,
    title: &'a Title,
    label: &'a str,
    previous: Option<&'a (String, String)>,
    next: Option<&'a (String, String)>,
}

/// What stands above a part of a document, of those that its cover names.
pub(crate) fn part_head(title: &Title, parts: &[(String, String)], number: usize) -> String {
    let at = |number: Option<usize>| number.and_then(|number| parts.get(number));
    let (previous, next) = (at(number.checked_sub(1)), at(number.checked_add(1)));
    let label = parts.get(number).map_or("", |(_, label)| label);
    rendered(&PartTemplate { shell: &SHELL, title, label, previous, next })
}

/// What stands above the current state of a room.
pub(crate) fn state_head() -> &'static str {
    "<section><h2>State</h2><div class=\"wide\"><table class=\"list\"><thead><tr><th scope=\"col\">type</th><th scope=\"col\">state key</th><th scope=\"col\">content</th></tr></thead><tbody>\n"
}

/// An event of the current state: its type, its key, its content.
pub(crate) fn state_line(kind: &str, key: &str, content: &str, is_redacted: bool) -> String {
    let mark = if is_redacted { " <em class=\"gone\">redacted</em>" } else { "" };
    let [kind, key, content] = [kind, key, content].map(|text| format!("<td><code>{}</code>", name(text)));
    format!("<tr>{kind}</td>{key}</td>{content}{mark}</td></tr>\n")
}

/// What stands below the current state.
pub(crate) fn state_end() -> &'static str {
    "</tbody></table></div></section>\n"
}

/// What stands above the names that people have.
pub(crate) fn people_head() -> &'static str {
    "<section><h2>People</h2><table class=\"facts\"><thead><tr><th scope=\"col\">name</th><th scope=\"col\">Matrix id</th></tr></thead><tbody>\n"
}

/// A name, and whose it is.
pub(crate) fn person_line(person: &Person) -> String {
    format!("<tr><td><bdi>{}</bdi></td><td><code>{}</code></td></tr>\n", inline(&person.name), name(&person.user_id))
}

/// What stands below names.
pub(crate) fn people_end(more: bool) -> String {
    format!("</tbody></table>{}</section>\n", if more { "<p>and others</p>" } else { "" })
}

#[derive(Template)]
#[template(path = "room.html")]
struct RoomTemplate<'a> {
    shell: &'static Shell,
    about: &'a RoomFacts,
    rows: Vec<(&'static str, Markup)>,
}

/// What stands above a room's months.
pub(crate) fn room_head(about: &RoomFacts) -> String {
    let text = |text: &String| inline(&shortened(text, 40));
    let aliases: Vec<String> = about.aliases.iter().map(|alias| name(alias).0).collect();
    let successors: Vec<String> = about.successors.iter().map(|room| room_link(room).0).collect();
    let rows = [
        ("room", Some(Markup(format!("<code>{}</code>", name(&about.id))))),
        ("addresses", (!aliases.is_empty()).then(|| Markup(aliases.join(", ")))),
        ("version", about.version.as_ref().map(text)),
        (
            "type",
            about.kind.as_ref().map(|kind| if kind == "m.space" { Markup("space".to_owned()) } else { text(kind) }),
        ),
        ("encryption", about.encryption.as_ref().map(text)),
        ("creator", about.creator.as_ref().map(|creator| name(creator))),
        ("came from", about.predecessor.as_ref().map(room_link)),
        ("goes on in", (!successors.is_empty()).then(|| Markup(successors.join(", ")))),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    rendered(&RoomTemplate { shell: &SHELL, about, rows })
}

/// A day in a room's calendar.
pub(crate) struct CalendarDay {
    day: String,
    messages: u64,
}

impl CalendarDay {
    pub(crate) fn of(line: &DayLine<'_>) -> CalendarDay {
        CalendarDay { day: line.day.to_owned(), messages: line.messages.unsigned_abs() }
    }

    /// Whether a day is of the same month.
    pub(crate) fn is_with(&self, day: &str) -> bool {
        time::month(&self.day) == time::month(day)
    }

    /// How much was said, from 0 to 3.
    fn warmth(&self) -> u8 {
        match self.messages {
            0 => 0,
            1..20 => 1,
            20..200 => 2,
            _ => 3,
        }
    }
}

enum Cell<'a> {
    /// Of another month.
    Outside,
    /// Without events.
    Empty(u32),
    Day(u32, &'a CalendarDay),
}

#[derive(Template)]
#[template(path = "month.html")]
struct MonthTemplate<'a> {
    heading: String,
    is_dated: bool,
    weeks: Vec<Vec<Cell<'a>>>,
    days: &'a [CalendarDay],
}

/// The days of one month, at least one; or those that have no date.
pub(crate) fn room_month(days: &[CalendarDay]) -> String {
    let dated: Vec<_> = days.iter().filter_map(|day| Some((time::date(&day.day)?, day))).collect();
    let Some(first) = dated.first().and_then(|(date, _)| date.with_day(1)) else {
        return rendered(&MonthTemplate { heading: "No date".to_owned(), is_dated: false, weeks: Vec::new(), days });
    };
    let mut cells: Vec<Cell<'_>> = (0..first.weekday().num_days_from_monday()).map(|_| Cell::Outside).collect();
    for date in first.iter_days().take_while(|date| date.month() == first.month()) {
        let found = dated.iter().find(|(of, _)| *of == date);
        cells.push(found.map_or(Cell::Empty(date.day()), |(_, day)| Cell::Day(date.day(), day)));
    }
    while !cells.len().is_multiple_of(7) {
        cells.push(Cell::Outside);
    }
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        weeks.push(cells.drain(..7).collect());
    }
    rendered(&MonthTemplate { heading: first.format("%B %Y").to_string(), is_dated: true, weeks, days })
}

#[derive(Template)]
#[template(path = "rooms.html")]
struct RoomsTemplate {
    shell: &'static Shell,
    title: Markup,
    is_section: bool,
    columns: Markup,
}

/// The columns of rooms.
const ROOMS: &str = "<th scope=\"col\">room</th><th scope=\"col\">address</th><th scope=\"col\" class=\"n\">messages</th><th scope=\"col\" class=\"op\">first day</th><th scope=\"col\" class=\"da\">last day</th><th scope=\"col\" class=\"op\">kind</th>";
/// Those of sections.
const SECTIONS: &str = "<th scope=\"col\">rooms from</th><th scope=\"col\" class=\"n\">rooms</th>";

fn list_head(title: Markup, is_section: bool, columns: &str) -> String {
    rendered(&RoomsTemplate { shell: &SHELL, title, is_section, columns: Markup(columns.to_owned()) })
}

/// What stands above the rooms of an index.
pub(crate) fn rooms_head() -> String {
    list_head(Markup("Rooms".to_owned()), false, ROOMS)
}

/// What stands above the sections of an index that is not on one page.
pub(crate) fn sections_head() -> String {
    list_head(Markup("Rooms".to_owned()), false, SECTIONS)
}

/// A section, by what its first room is called, and the file of its first part without its ending.
pub(crate) fn section_line(name: &str, stem: &str, rooms: u64) -> String {
    let name = inline(&shortened(name, 120));
    format!("<tr><td><a href=\"{stem}.html\"><bdi>{name}</bdi></a></td><td class=\"n\">{rooms}</td></tr>\n")
}

/// What stands above the rooms of a part of a section, whose number begins with 1.
pub(crate) fn section_head(name: &str, part: u64) -> String {
    let part = if part > 1 { format!(", part {part}") } else { String::new() };
    list_head(Markup(format!("Rooms from {} on{part}", inline(&shortened(name, 120)))), true, ROOMS)
}

/// A room in the index, by its directory; `up` is the way to that of the archive.
pub(crate) fn rooms_line(room: &RoomLine, directory: &str, up: &str) -> String {
    let apart = if room.shares_name { format!(" <code>{}</code>", name(&room.room_id)) } else { String::new() };
    let kinds = [(room.is_space, "space"), (room.is_encrypted, "encrypted")];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    format!(
        "<tr><td><a href=\"{up}rooms/{}/index.html\"><bdi>{}</bdi></a>{apart}</td><td class=\"ad\">{}</td><td class=\"n\">{}</td><td class=\"op\">{}</td><td class=\"da\">{}</td><td class=\"op\">{}</td></tr>\n",
        escaped(&directory.replace('%', "%25")),
        inline(&shortened(&room.name, 120)),
        room.alias.as_deref().map(name).unwrap_or_default(),
        room.messages,
        room.first_day.as_deref().unwrap_or_default(),
        room.last_day.as_deref().unwrap_or_default(),
        kinds.join(", ")
    )
}

/// What ends the index of rooms, or a part of a section; with the name of the file of the next part without its ending, if there is one.
pub(crate) fn rooms_end(next: Option<&str>) -> String {
    let next = next.map(|next| format!("<nav><a href=\"{next}.html\" rel=\"next\">more of them →</a></nav>"));
    format!("</tbody></table></div>{}{}", next.unwrap_or_default(), end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_style_and_script_that_pages_have() {
        let page = rooms_head() + &rooms_end(None);
        let between = |begin: &str, end: &str| page.split_once(begin).unwrap().1.split_once(end).unwrap().0.to_owned();
        for (what, tag) in [("style", "style"), ("script", "script")] {
            let found = between(&format!("<{tag}>"), &format!("</{tag}>"));
            let hash = STANDARD.encode(Sha256::digest(found));
            assert!(page.contains(&format!("{what}-src &#39;sha256-{hash}&#39;")), "{page}");
        }
        assert!(page.starts_with(INDEX_BEGIN));
    }

    #[test]
    fn a_month_is_weeks_that_begin_on_mondays() {
        let day = |day: &str, messages| CalendarDay { day: day.to_owned(), messages };
        let month = room_month(&[day("2026-11-22", 3), day("2026-11-01", 200)]);
        assert_eq!((month.matches("<tr>").count(), month.matches("class=\"no\"").count()), (7, 12));
        assert!(month.contains("<td class=\"h3\"><a href=\"2026-11-01.html\""), "{month}");
        assert!(room_month(&[day("undated", 1)]).contains("No date"));
    }
}
