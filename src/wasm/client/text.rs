//! Texts.

use js_sys::{Array, Object};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::NativeClient;
use crate::{
    node::author_name,
    wasm::{
        convert::{delta, set},
        error::{invalid, of_edit},
        input::{attributes, name, raw_text, text, unsigned},
    },
};

#[wasm_bindgen]
impl NativeClient {
    /// Inserts; answers the position of the operation it travels in, as every edit does.
    #[wasm_bindgen(js_name = textInsert)]
    pub fn text_insert(&self, doc: &JsValue, index: f64, content: &JsValue, marks: &JsValue) -> Result<f64, JsValue> {
        let (doc, index, content) = (name(doc, "doc")?, unsigned(index, "index")?, text(content, "text")?);
        let marks = attributes(marks)?;
        self.edit(|engine, now| engine.insert(now, &doc, index, &content, marks.as_ref()))
    }

    /// Deletes.
    #[wasm_bindgen(js_name = textDelete)]
    pub fn text_delete(&self, doc: &JsValue, index: f64, length: f64) -> Result<f64, JsValue> {
        let (doc, index, length) = (name(doc, "doc")?, unsigned(index, "index")?, unsigned(length, "length")?);
        self.edit(|engine, now| engine.delete(now, &doc, index, length))
    }

    /// Marks a range.
    #[wasm_bindgen(js_name = textFormat)]
    pub fn text_format(&self, doc: &JsValue, index: f64, length: f64, marks: &JsValue) -> Result<f64, JsValue> {
        let (doc, index, length) = (name(doc, "doc")?, unsigned(index, "index")?, unsigned(length, "length")?);
        let marks = attributes(marks)?.ok_or_else(|| invalid("attributes", "an object"))?;
        self.edit(|engine, now| engine.format(now, &doc, index, length, &marks))
    }

    /// Makes the text equal `content` by one splice.
    #[wasm_bindgen(js_name = textReplace)]
    pub fn text_replace(&self, doc: &JsValue, content: &JsValue) -> Result<f64, JsValue> {
        self.replace(&name(doc, "doc")?, content, "text")
    }

    /// Moves a range.
    #[wasm_bindgen(js_name = textMove)]
    pub fn text_move(&self, doc: &JsValue, from: f64, to: f64, length: f64) -> Result<f64, JsValue> {
        let (doc, from, to) = (name(doc, "doc")?, unsigned(from, "from")?, unsigned(to, "to")?);
        let length = unsigned(length, "length")?;
        self.edit(|engine, now| engine.move_text(now, &doc, from, to, length))
    }

    /// The text.
    #[wasm_bindgen(js_name = textString)]
    pub fn text_string(&self, doc: &JsValue) -> Result<String, JsValue> {
        let doc = name(doc, "doc")?;
        Ok(self.client.read(|engine| engine.replica().text(&doc)))
    }

    /// Its length in UTF-16 units.
    #[wasm_bindgen(js_name = textLength)]
    pub fn text_length(&self, doc: &JsValue) -> Result<u32, JsValue> {
        let doc = name(doc, "doc")?;
        Ok(self.client.read(|engine| engine.replica().text_len(&doc)))
    }

    /// The text with marks.
    #[wasm_bindgen(js_name = textDelta)]
    pub fn text_delta(&self, doc: &JsValue) -> Result<Array, JsValue> {
        let doc = name(doc, "doc")?;
        let steps = self.client.read(|engine| engine.replica().text_delta(&doc));
        Ok(delta(&steps))
    }

    /// A place that stays where it is in the text, as a string. `assoc`: negative for what is before it.
    #[wasm_bindgen(js_name = textCursor)]
    pub fn text_cursor(&self, doc: &JsValue, index: f64, assoc: f64) -> Result<String, JsValue> {
        let (doc, index) = (name(doc, "doc")?, unsigned(index, "index")?);
        let cursor = self.client.read(|engine| engine.replica().cursor(&doc, index, assoc < 0.0));
        cursor.map(|bytes| hex(&bytes)).map_err(|error| of_edit(&error))
    }

    /// Where such a place is now; nothing if it is unknown.
    #[wasm_bindgen(js_name = textIndex)]
    pub fn text_index(&self, doc: &JsValue, cursor: &JsValue) -> Result<Option<u32>, JsValue> {
        let (doc, cursor) = (name(doc, "doc")?, raw_text(cursor, "cursor")?);
        let Some(bytes) = from_hex(&cursor) else { return Ok(None) };
        Ok(self.client.read(|engine| engine.replica().cursor_index(&doc, &bytes)))
    }

    /// Who wrote what: `{length, author}` over the whole text.
    #[wasm_bindgen(js_name = textAuthors)]
    pub fn text_authors(&self, doc: &JsValue) -> Result<Array, JsValue> {
        let doc = name(doc, "doc")?;
        let runs = self.client.read(|engine| engine.replica().authors(&doc));
        let run = |(length, author)| {
            let out = Object::new();
            set(&out, "length", length);
            set(&out, "author", author_name(author));
            JsValue::from(out)
        };
        Ok(runs.into_iter().map(run).collect())
    }
}

impl NativeClient {
    /// Text that somebody else has put NUL into may keep it.
    pub(crate) fn replace(&self, doc: &str, content: &JsValue, field: &str) -> Result<f64, JsValue> {
        let mut content_text = raw_text(content, field)?;
        if content_text.contains('\0') && !self.client.read(|engine| engine.replica().text(doc).contains('\0')) {
            content_text = text(content, field)?;
        }
        self.edit(|engine, now| engine.replace(now, doc, &content_text))
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Cursors are short; what is longer than any is none.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| DIGITS.iter().position(|known| known == digit);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((value(high)? << 4 | value(low)?) as u8),
        _ => None,
    };
    if text.len() > 2_048 { None } else { text.as_bytes().chunks(2).map(pair).collect() }
}
