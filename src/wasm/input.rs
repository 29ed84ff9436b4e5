//! What JavaScript hands in. Everything is checked before it is copied, and named when it is refused; getters and
//! proxies that throw are caught.

use std::collections::BTreeMap;

use js_sys::{Array, JsString, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::error::{invalid, thrown};
use crate::{
    base::limits::{MAX_EDIT_TEXT_UNITS, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_VALUE_DEPTH},
    node::{Attributes, Value},
};

/// A property; `undefined` and `null` count as absent.
pub(crate) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    given(object, name).filter(|value| !value.is_null())
}

/// A property; `undefined` counts as absent, `null` does not.
pub(crate) fn given(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined())
}

/// A string property of options.
pub(crate) fn string_property(object: &JsValue, name: &str) -> Result<Option<String>, JsValue> {
    property(object, name).map(|value| text(&value, name)).transpose()
}

/// A name, an id, a key: see [`name`].
pub(crate) fn name_property(object: &JsValue, field: &str) -> Result<Option<String>, JsValue> {
    property(object, field).map(|value| name(&value, field)).transpose()
}

/// A count of UTF-16 units or the like: an integer from 0 to 2^32 - 1.
pub(crate) fn unsigned(value: f64, name: &str) -> Result<u32, JsValue> {
    if value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value) {
        Ok(value as u32)
    } else {
        Err(invalid(name, "an integer from 0 to 4294967295"))
    }
}

pub(crate) fn unsigned_property(object: &JsValue, name: &str) -> Result<Option<u32>, JsValue> {
    property(object, name).map(|value| unsigned(value.as_f64().unwrap_or(f64::NAN), name)).transpose()
}

/// A string that has a UTF-8 form, of at most `max` UTF-16 units.
fn string(value: &JsValue, field: &str, max: usize) -> Result<String, JsValue> {
    let Some(units) = value.dyn_ref::<JsString>() else { return Err(invalid(field, "a string")) };
    if units.length() as usize > max {
        return Err(too_large(field, max));
    }
    let text = String::from(units);
    // Half a surrogate pair arrives as U+FFFD. Only a string that has one is looked at again, unit by unit.
    if text.contains(char::REPLACEMENT_CHARACTER) && !units.is_valid_utf16() {
        return Err(invalid(field, "a string without half a surrogate pair"));
    }
    Ok(text)
}

/// Text for a document, which may have NUL in it.
pub(crate) fn raw_text(value: &JsValue, field: &str) -> Result<String, JsValue> {
    string(value, field, MAX_EDIT_TEXT_UNITS)
}

/// Text for a document.
pub(crate) fn text(value: &JsValue, field: &str) -> Result<String, JsValue> {
    let text = raw_text(value, field)?;
    if text.contains('\0') { Err(invalid(field, "a string without NUL characters")) } else { Ok(text) }
}

/// The name of a document or collection, the id of a record or message, a map's key, a field.
pub(crate) fn name(value: &JsValue, field: &str) -> Result<String, JsValue> {
    let Some(units) = value.dyn_ref::<JsString>() else { return Err(invalid(field, "a string")) };
    let name = if units.length() as usize > MAX_NAME_BYTES { String::new() } else { text(value, field)? };
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
        return Err(invalid(field, "a string of 1 to 256 bytes of UTF-8"));
    }
    if is_reserved(&name) {
        return Err(invalid(field, "none of __proto__, constructor and prototype"));
    }
    Ok(name)
}

/// Names by which a JavaScript object's prototype is reached.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(name, "__proto__" | "constructor" | "prototype")
}

/// The own keys of an object, each fit to be a field.
pub(crate) fn keys(object: &JsValue, field: &str) -> Result<Vec<String>, JsValue> {
    let keys = Reflect::own_keys(object).map_err(|_| invalid(field, "plain data"))?;
    // A field takes a name and a value at least.
    if keys.length() as usize > MAX_PAYLOAD_BYTES / 2 {
        return Err(too_large(field, MAX_PAYLOAD_BYTES));
    }
    let what = [field, ": a key"].concat();
    keys.iter().map(|key| name(&key, &what)).collect()
}

/// An object that is no array and no function.
pub(crate) fn is_record(value: &JsValue) -> bool {
    value.is_object() && !Array::is_array(value) && !value.is_function()
}

/// JSON within the limits of depth and size.
pub(crate) fn value(value: &JsValue, field: &str) -> Result<Value, JsValue> {
    if value.is_undefined() {
        return Err(invalid(field, JSON));
    }
    Reading { field, left: MAX_PAYLOAD_BYTES }.value(value, 0)
}

/// The items of an array, within the limits of one operation together.
pub(crate) fn values(array: &JsValue, field: &str) -> Result<Vec<Value>, JsValue> {
    if !Array::is_array(array) {
        return Err(invalid(field, "an array"));
    }
    let mut reading = Reading { field, left: MAX_PAYLOAD_BYTES };
    reading.items(array)?.iter().map(|item| reading.item(item, 0)).collect()
}

/// Fields of an object but `except`, within the limits of one operation together. `None`: `undefined`, to be removed.
pub(crate) fn fields(object: &JsValue, except: &[&str]) -> Result<BTreeMap<String, Option<Value>>, JsValue> {
    let mut out = BTreeMap::new();
    let mut left = MAX_PAYLOAD_BYTES;
    for key in keys(object, "fields")? {
        if except.contains(&key.as_str()) {
            continue;
        }
        let value = Reflect::get(object, &key.as_str().into()).map_err(|_| invalid(&key, JSON))?;
        let mut reading = Reading { field: &key, left };
        let read = if value.is_undefined() { None } else { Some(reading.value(&value, 0)?) };
        left = reading.left;
        out.insert(key, read);
    }
    Ok(out)
}

/// Marks from an object; absent gives none.
pub(crate) fn attributes(object: &JsValue) -> Result<Option<Attributes>, JsValue> {
    if object.is_undefined() || object.is_null() {
        return Ok(None);
    }
    match value(object, "attributes")? {
        Value::Object(map) => Ok(Some(map)),
        _ => Err(invalid("attributes", "an object")),
    }
}

const JSON: &str = "plain JSON, at most 16 levels deep, with finite numbers";

fn too_large(field: &str, max: usize) -> JsValue {
    thrown("TOO_LARGE", &[field, " is over its limit of ", &max.to_string()].concat())
}

/// One value being read, and how many bytes it may still take.
struct Reading<'a> {
    field: &'a str,
    left: usize,
}

impl Reading<'_> {
    fn value(&mut self, value: &JsValue, depth: usize) -> Result<Value, JsValue> {
        self.take(1)?;
        if value.is_null() || value.is_undefined() {
            return Ok(Value::Null);
        }
        if let Some(flag) = value.as_bool() {
            return Ok(Value::Bool(flag));
        }
        if let Some(number) = value.as_f64() {
            return if number.is_finite() { Ok(Value::Number(number)) } else { Err(self.refused()) };
        }
        if value.is_string() {
            let text = string(value, self.field, self.left)?;
            self.take(text.len())?;
            return Ok(Value::String(text));
        }
        if depth >= MAX_VALUE_DEPTH || value.is_function() || !value.is_object() {
            return Err(self.refused());
        }
        if Array::is_array(value) {
            let items = self.items(value)?;
            return items.iter().map(|item| self.item(item, depth + 1)).collect::<Result<_, _>>().map(Value::Array);
        }
        self.object(value, depth + 1).map(Value::Object)
    }

    fn item(&mut self, item: &JsValue, depth: usize) -> Result<Value, JsValue> {
        if item.is_undefined() { Err(self.refused()) } else { self.value(item, depth) }
    }

    /// The items of an array, of which there are no more than may be taken.
    fn items(&mut self, array: &JsValue) -> Result<Vec<JsValue>, JsValue> {
        let length = property(array, "length").and_then(|length| length.as_f64()).unwrap_or(f64::NAN);
        let length = unsigned(length, self.field)?;
        if length as usize > self.left {
            return Err(too_large(self.field, MAX_PAYLOAD_BYTES));
        }
        let item = |index| Reflect::get_u32(array, index).map_err(|_| self.refused());
        (0..length).map(item).collect()
    }

    fn object(&mut self, object: &JsValue, depth: usize) -> Result<Attributes, JsValue> {
        let mut out = Attributes::new();
        let keys = Reflect::own_keys(object).map_err(|_| self.refused())?;
        for key in keys.iter() {
            self.take(1)?;
            // An empty key is JSON; any other is a name.
            let empty = key.as_string().is_some_and(|key| key.is_empty());
            let key = if empty { String::new() } else { name(&key, &[self.field, ": a key"].concat())? };
            self.take(key.len())?;
            let value = Reflect::get(object, &key.as_str().into()).map_err(|_| self.refused())?;
            // As in JSON, a field that is `undefined` is none.
            if !value.is_undefined() {
                out.insert(key, self.value(&value, depth)?);
            }
        }
        Ok(out)
    }

    fn take(&mut self, bytes: usize) -> Result<(), JsValue> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| too_large(self.field, MAX_PAYLOAD_BYTES))?;
        Ok(())
    }

    fn refused(&self) -> JsValue {
        invalid(self.field, JSON)
    }
}
