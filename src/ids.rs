//! Ids of events, rooms and users, which the compiler tells apart.
//!
//! Never judges one: old rooms have ids that no grammar allows, and they are archived like any other. What they are in a path, on a
//! terminal or in a query is decided where these are made.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer};

/// Makes the types of one kind of id: of a text that is somebody else's, and of one of its own.
macro_rules! id {
    ($(#[$about:meta])* $name:ident $owned:ident) => {
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

            /// It, with a text of its own.
            #[must_use]
            pub fn owned(self) -> $owned {
                $owned(self.0.to_owned())
            }
        }

        #[doc = concat!("What [`", stringify!($name), "`] is, with a text of its own.")]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $owned(String);

        impl $owned {
            /// Says that a text is such an id; any text may be one.
            #[must_use]
            pub const fn of(text: String) -> Self {
                Self(text)
            }

            /// The same id, of this text.
            #[must_use]
            pub fn borrowed(&self) -> $name<'_> {
                $name(&self.0)
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $owned {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $owned {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $owned {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        // so that what is kept by ids is found by a text that is one
        impl Borrow<str> for $owned {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $owned {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0)
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
    ///
    /// What a commit tells of an event goes on as that:
    ///
    /// ```
    /// use synapse_export::archive::Committed;
    ///
    /// fn tell(committed: &Committed, report: &mut dyn synapse_export::export::Report) {
    ///     for (event, room) in &committed.duplicates {
    ///         report.duplicate(event.borrowed(), room.borrowed());
    ///     }
    /// }
    /// ```
    ///
    /// It cannot be taken for what it tells of the room:
    ///
    /// ```compile_fail,E0308
    /// use synapse_export::archive::Committed;
    ///
    /// fn tell(committed: &Committed, report: &mut dyn synapse_export::export::Report) {
    ///     for (event, room) in &committed.duplicates {
    ///         report.duplicate(room.borrowed(), event.borrowed());
    ///     }
    /// }
    /// ```
    EventId OwnedEventId
}

id! {
    /// A room's id, as the database or a line has it: `!…:server`, since room version 12 `!…`, or anything else.
    RoomId OwnedRoomId
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
    ///
    /// Whose events are to be erased is a user, and no room:
    ///
    /// ```
    /// use synapse_export::archive::What;
    /// use synapse_export::event::UserId;
    ///
    /// let whose = What::Sender(UserId::of("@alice:here.test").owned());
    /// ```
    ///
    /// ```compile_fail,E0308
    /// use synapse_export::archive::What;
    /// use synapse_export::event::RoomId;
    ///
    /// let whose = What::Sender(RoomId::of("!room:here.test").owned());
    /// ```
    UserId OwnedUserId
}
