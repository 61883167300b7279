//! Ids of events, rooms and users, which the compiler tells apart.
//!
//! Never judges one: old rooms have ids that no grammar allows, and they are archived like any other. What they are in a path, on a
//! terminal or in a query is decided where these are made.

use std::fmt;
use std::ops::Deref;

/// Makes the type of one kind of id.
macro_rules! id {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// Says that a text is such an id; any text may be one.
            #[must_use]
            pub const fn of(text: &'a str) -> Self {
                Self(text)
            }

            /// Its text, for as long as what it was taken from.
            #[must_use]
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl Deref for $name<'_> {
            type Target = str;

            fn deref(&self) -> &str {
                self.0
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
    };
}

id! {
    /// An event's id, as the database or a line has it: `$…`, in old rooms `$…:server`, or anything else.
    ///
    /// ```
    /// use synapse_export::event::{EventId, RoomId};
    ///
    /// fn look_up(room: RoomId<'_>, event: EventId<'_>) {}
    /// look_up(RoomId::of("!room:here.test"), EventId::of("$event"));
    /// ```
    ///
    /// A room's id is none:
    ///
    /// ```compile_fail,E0308
    /// use synapse_export::event::{EventId, RoomId};
    ///
    /// fn look_up(room: RoomId<'_>, event: EventId<'_>) {}
    /// look_up(EventId::of("$event"), RoomId::of("!room:here.test"));
    /// ```
    EventId
}

id! {
    /// A room's id, as the database or a line has it: `!…:server`, since room version 12 `!…`, or anything else.
    RoomId
}

id! {
    /// A user's id, as the database or a line has it: `@…:server`, or anything else.
    ///
    /// ```compile_fail,E0308
    /// use synapse_export::event::{RoomId, UserId};
    ///
    /// fn names_of(room: RoomId<'_>, user: UserId<'_>) {}
    /// names_of(UserId::of("@alice:here.test"), RoomId::of("!room:here.test"));
    /// ```
    UserId
}
