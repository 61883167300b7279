//! Ids as the catalog has them: texts. Judges none.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::event::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

macro_rules! texts {
    ($($name:ident $owned:ident)+) => {$(
        impl ToSql for $name<'_> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl ToSql for $owned {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $owned {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                String::column_result(value).map($owned::of)
            }
        }
    )+};
}

texts! { EventId OwnedEventId RoomId OwnedRoomId UserId OwnedUserId }
