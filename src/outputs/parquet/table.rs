//! Tables: what columns they have, and rows on their way into a file, column by column. Knows no archive.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

use crate::outputs::rows::{BYTES, Group, OutputTable, ROWS, SCHEMA, Value};

/// The level of zstd.
const LEVEL: i32 = 3;

/// The name of a table, which is its directory's, too.
pub(super) fn name(table: OutputTable) -> &'static str {
    match table {
        OutputTable::Events => "events",
        OutputTable::Rooms => "rooms",
        OutputTable::Members => "members",
    }
}

/// The columns of a table.
pub(super) fn schema(table: OutputTable) -> Result<TypePtr> {
    let message = match table {
        OutputTable::Events => include_str!("events.schema"),
        OutputTable::Rooms => include_str!("rooms.schema"),
        OutputTable::Members => include_str!("members.schema"),
    };
    Ok(Arc::new(parse_message_type(message)?))
}

/// The columns that the rows of a table are sorted by.
fn sorted_by(table: OutputTable) -> &'static [&'static str] {
    match table {
        OutputTable::Events => &["room_id", "origin_server_ts_sent"],
        OutputTable::Rooms => &["room_id"],
        OutputTable::Members => &["room_id", "user_id"],
    }
}

/// How the files of a table are written.
pub(super) fn properties(table: OutputTable) -> Result<WriterPropertiesPtr> {
    let about = |key: &str, value: &str| KeyValue::new(format!("synapse_export.{key}"), value.to_owned());
    let place = |name: &&str| table.columns().iter().position(|column| column == name);
    let sorted_by = sorted_by(table).iter().filter_map(place).filter_map(|at| i32::try_from(at).ok());
    let sorted_by = sorted_by.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true });
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_key_value_metadata(Some(vec![about("schema", SCHEMA), about("table", name(table))]))
        .set_sorting_columns(Some(sorted_by.collect()));
    // of what nobody asks for in order, there are no smallest and largest values
    for name in ["body", "content", "topic"] {
        properties = properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
    }
    // what is another in each row: texts one after the other, their lengths and numbers by how they differ from the ones before
    for (name, encoding) in [
        ("event_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("edited_by", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("body", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("content", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("origin_server_ts", Encoding::DELTA_BINARY_PACKED),
        ("origin_server_ts_sent", Encoding::DELTA_BINARY_PACKED),
        ("received_ts", Encoding::DELTA_BINARY_PACKED),
        ("stream_ordering", Encoding::DELTA_BINARY_PACKED),
        ("depth", Encoding::DELTA_BINARY_PACKED),
    ] {
        let column = ColumnPath::from(name);
        properties =
            properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, encoding);
    }
    Ok(Arc::new(properties.build()))
}

/// The values of a column; whether each is there.
#[derive(Debug)]
enum Column {
    Texts { texts: Vec<u8>, ends: Vec<usize>, there: Vec<i16> },
    Numbers { numbers: Vec<i64>, there: Vec<i16> },
    Flags(Vec<bool>),
}

/// The rows of a row group.
#[derive(Debug, Default)]
pub(super) struct RowGroup {
    columns: Vec<Column>,
    count: usize,
    bytes: usize,
}

impl Group for RowGroup {
    fn of(_: &str) -> RowGroup {
        RowGroup::default()
    }

    fn add(&mut self, row: &[Value<'_>]) {
        if self.columns.is_empty() {
            self.columns.extend(row.iter().map(|value| match value {
                Value::Text(_) | Value::Json(_) => {
                    Column::Texts { texts: Vec::new(), ends: Vec::new(), there: Vec::new() }
                }
                Value::Number(_) | Value::Time(_) => Column::Numbers { numbers: Vec::new(), there: Vec::new() },
                Value::Flag(_) => Column::Flags(Vec::new()),
            }));
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            match (column, value) {
                (Column::Texts { texts, ends, there }, Value::Text(text) | Value::Json(text)) => {
                    there.push(i16::from(text.is_some()));
                    if let Some(text) = text {
                        texts.extend_from_slice(text.as_bytes());
                        ends.push(texts.len());
                        self.bytes += text.len();
                    }
                }
                (Column::Numbers { numbers, there }, Value::Number(number) | Value::Time(number)) => {
                    there.push(i16::from(number.is_some()));
                    numbers.extend(number);
                }
                (Column::Flags(flags), Value::Flag(flag)) => flags.push(*flag),
                _ => {}
            }
        }
        self.count += 1;
    }

    fn count(&self) -> usize {
        self.count
    }

    fn is_full(&self) -> bool {
        self.count >= ROWS || self.bytes >= BYTES
    }
}

impl RowGroup {
    /// Writes them as a row group.
    pub(super) fn write<W: std::io::Write + Send>(self, mut group: SerializedRowGroupWriter<'_, W>) -> Result<()> {
        for column in self.columns {
            let mut writer = group.next_column()?.ok_or_else(other_columns)?;
            match (column, writer.untyped()) {
                (Column::Texts { texts, ends, there }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    let texts = Bytes::from(texts);
                    let mut start = 0;
                    let slice = |end| ByteArray::from(texts.slice(std::mem::replace(&mut start, end)..end));
                    let values: Vec<ByteArray> = ends.into_iter().map(slice).collect();
                    writer.write_batch(&values, Some(&there), None)?;
                }
                (Column::Numbers { numbers, there }, ColumnWriter::Int64ColumnWriter(writer)) => {
                    writer.write_batch(&numbers, Some(&there), None)?;
                }
                (Column::Flags(flags), ColumnWriter::BoolColumnWriter(writer)) => {
                    writer.write_batch(&flags, None, None)?;
                }
                _ => return Err(other_columns()),
            }
            writer.close()?;
        }
        group.close().map(drop)
    }
}

fn other_columns() -> ParquetError {
    ParquetError::General("a row has other columns than its table".to_owned())
}
