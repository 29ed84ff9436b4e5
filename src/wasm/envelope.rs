//! `client.send`: reads a JSON envelope (SPEC §8) and makes the edit it asks for. Anything malformed names its field
//! and changes nothing.

use wasm_bindgen::JsValue;

use super::{
    convert::{property, string, unsigned_property},
    error::{invalid, of_edit, thrown},
};
use crate::node::{Client, EditError};

/// The text that envelopes mean when they name none.
const DEFAULT_DOCUMENT: &str = "document";

/// Makes the edit; answers the position of the operation it travels in.
pub(crate) fn apply(client: &Client, envelope: &JsValue) -> Result<u64, JsValue> {
    if !envelope.is_object() {
        return Err(invalid("message", "an object"));
    }
    match string(envelope, "type")?.as_deref() {
        Some("operation") => {}
        _ => return Err(invalid("type", "'operation'")),
    }
    let operation = string(envelope, "operation")?;
    let data = property(envelope, "data").filter(JsValue::is_object).ok_or_else(|| invalid("data", "an object"))?;
    if property(&data, "id").is_some() {
        return Err(thrown("UNSUPPORTED", "data.id: records are not available in this version"));
    }
    let doc = string(&data, "doc")?.unwrap_or_else(|| DEFAULT_DOCUMENT.to_owned());
    match operation.as_deref() {
        Some("INSERT") => insert(client, &doc, &data),
        Some("DELETE") => {
            let position = unsigned_property(&data, "position")?.ok_or_else(|| invalid("position", "an integer"))?;
            let length = unsigned_property(&data, "length")?.unwrap_or(1);
            client.with(|engine, now| engine.delete(now, &doc, position, length)).map_err(of_position)
        }
        Some("UPDATE") => {
            let text = string(&data, "document")?.ok_or_else(|| invalid("document", "a string"))?;
            client.with(|engine, now| engine.replace(now, &doc, &text)).map_err(|error| of_edit(&error))
        }
        Some("MOVE") => Err(thrown("UNSUPPORTED", "operation: MOVE is not available in this version")),
        _ => Err(invalid("operation", "INSERT, DELETE or UPDATE")),
    }
}

fn insert(client: &Client, doc: &str, data: &JsValue) -> Result<u64, JsValue> {
    let content = string(data, "content")?.ok_or_else(|| invalid("content", "a string"))?;
    let position = unsigned_property(data, "position")?;
    let edit = client.with(|engine, now| {
        let len = engine.replica().text_len(doc);
        engine.insert(now, doc, position.unwrap_or(len).min(len), &content, None)
    });
    edit.map_err(of_position)
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
