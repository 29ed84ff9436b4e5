//! `client.send`: reads a JSON envelope (SPEC §8) and does what it asks for. Anything malformed names its field and
//! changes nothing.

use wasm_bindgen::JsValue;

use super::{
    client::NativeClient,
    error::{invalid, of_edit},
    input::{fields, given, is_record, keys, name, name_property, property, string_property, text, unsigned_property},
};
use crate::node::{DeletePolicy, EditError, RecordWrite};

/// The text that envelopes mean when they name none.
const DEFAULT_DOCUMENT: &str = "document";
/// The collection that envelopes mean when they name none.
const DEFAULT_COLLECTION: &str = "shapes";
/// Seconds since 1970 at the start of the year 2200: what is later is none, but perhaps milliseconds.
const MAX_TIMESTAMP: f64 = 7_258_118_400.0;
/// What stands beside a record's fields.
const RECORD_KEYS: &[&str] = &["id", "collection"];

/// Does it; answers the envelope's id, if it has one, and the position of the operation, if it is stored.
pub(crate) fn apply(client: &NativeClient, envelope: &JsValue) -> Result<(Option<String>, Option<f64>), JsValue> {
    if !envelope.is_object() || envelope.is_function() {
        return Err(invalid("message", "an object"));
    }
    let id = head(envelope)?;
    let operation = string_property(envelope, "operation")?;
    let data = property(envelope, "data").filter(is_record).ok_or_else(|| invalid("data", "an object"))?;
    keys(&data, "data")?;
    let record = given(&data, "id").is_some();
    let seq = match operation.as_deref() {
        Some("INSERT") if record => insert_record(client, &data)?,
        Some("INSERT") => insert(client, &data)?,
        Some("DELETE") if record => {
            let (collection, id) = target(&data)?;
            client.edit(|engine, now| engine.record_delete(now, &collection, &id, DeletePolicy::DeleteWins))?
        }
        Some("DELETE") => delete(client, &data)?,
        Some("UPDATE") if record => {
            let (collection, id) = target(&data)?;
            client.write_record(&collection, &id, &fields(&data, RECORD_KEYS)?, RecordWrite::Update)?
        }
        Some("UPDATE") => match property(&data, "document") {
            Some(text) => client.replace(&document(&data)?, &text, "document")?,
            // `null` is given: it takes the cursor away.
            None if given(&data, "cursor_position").is_some() => {
                client.merge_presence(&data)?;
                return Ok((id, None));
            }
            None => return Err(invalid("document", "a string")),
        },
        Some("MOVE") if record => {
            let (collection, id) = target(&data)?;
            client.move_record(&collection, &id, &data)?
        }
        Some("MOVE") => move_text(client, &data)?,
        _ => return Err(invalid("operation", "INSERT, DELETE, UPDATE or MOVE")),
    };
    Ok((id, Some(seq)))
}

/// Checks what is the same in every envelope; answers its id.
fn head(envelope: &JsValue) -> Result<Option<String>, JsValue> {
    match string_property(envelope, "type")?.as_deref() {
        Some("operation") => {}
        _ => return Err(invalid("type", "'operation'")),
    }
    keys(envelope, "message")?;
    if let Some(timestamp) = property(envelope, "timestamp") {
        let seconds = timestamp.as_f64().filter(|seconds| (0.0..=MAX_TIMESTAMP).contains(seconds));
        seconds.ok_or_else(|| invalid("timestamp", "seconds since 1970, from 0 to 7258118400"))?;
    }
    name_property(envelope, "client_id")?;
    if property(envelope, "parent_id").is_some() {
        return Err(invalid("parent_id", "null: positions refer to the text as this client has it"));
    }
    if unsigned_property(envelope, "version")?.is_some_and(|version| version != 1) {
        return Err(invalid("version", "1"));
    }
    name_property(envelope, "id")
}

fn document(data: &JsValue) -> Result<String, JsValue> {
    Ok(name_property(data, "doc")?.unwrap_or_else(|| DEFAULT_DOCUMENT.to_owned()))
}

/// Which record it is about.
fn target(data: &JsValue) -> Result<(String, String), JsValue> {
    let id = name(&given(data, "id").unwrap_or(JsValue::NULL), "id")?;
    let collection = name_property(data, "collection")?.unwrap_or_else(|| DEFAULT_COLLECTION.to_owned());
    Ok((collection, id))
}

fn insert(client: &NativeClient, data: &JsValue) -> Result<f64, JsValue> {
    let doc = document(data)?;
    let content = property(data, "content").ok_or_else(|| invalid("content", "a string"))?;
    let content = text(&content, "content")?;
    let position = unsigned_property(data, "position")?;
    client.edit_with(of_position, |engine, now| {
        let len = engine.replica().text_len(&doc);
        engine.insert(now, &doc, position.unwrap_or(len).min(len), &content, None)
    })
}

fn delete(client: &NativeClient, data: &JsValue) -> Result<f64, JsValue> {
    let doc = document(data)?;
    let position = unsigned_property(data, "position")?.ok_or_else(|| invalid("position", "an integer"))?;
    let length = unsigned_property(data, "length")?.unwrap_or(1);
    client.edit_with(of_position, |engine, now| engine.delete(now, &doc, position, length))
}

fn move_text(client: &NativeClient, data: &JsValue) -> Result<f64, JsValue> {
    let doc = document(data)?;
    let from = unsigned_property(data, "from")?.ok_or_else(|| invalid("from", "an integer"))?;
    let to = unsigned_property(data, "to")?.ok_or_else(|| invalid("to", "an integer"))?;
    let length = unsigned_property(data, "length")?.unwrap_or(1);
    client.edit(|engine, now| engine.move_text(now, &doc, from, to, length))
}

fn insert_record(client: &NativeClient, data: &JsValue) -> Result<f64, JsValue> {
    let (collection, id) = target(data)?;
    let mut fields = fields(data, RECORD_KEYS)?;
    fields.retain(|_, value| value.is_some());
    client.write_record(&collection, &id, &fields, RecordWrite::Insert)
}

/// What the engine calls `index` is `position` in an envelope.
fn of_position(mut error: EditError) -> JsValue {
    if let EditError::OutOfRange { field, .. } | EditError::SplitsCharacter { field, .. } = &mut error
        && *field == "index"
    {
        *field = "position";
    }
    of_edit(&error)
}
