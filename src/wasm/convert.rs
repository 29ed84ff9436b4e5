//! Plain values to and from JavaScript.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::error::invalid;
use crate::node::{Attributes, Delta, Value};

/// Deeper nesting of attribute values is refused.
const MAX_DEPTH: usize = 16;

/// A property; `undefined` counts as absent.
pub(crate) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

pub(crate) fn string(object: &JsValue, name: &str) -> Result<Option<String>, JsValue> {
    match property(object, name) {
        None => Ok(None),
        Some(value) => value.as_string().map(Some).ok_or_else(|| invalid(name, "a string")),
    }
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
    match property(object, name) {
        None => Ok(None),
        Some(value) => unsigned(value.as_f64().unwrap_or(f64::NAN), name).map(Some),
    }
}

pub(crate) fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // Setting this name would change the object's prototype.
    if name != "__proto__" {
        let _ = Reflect::set(object, &name.into(), &value.into());
    }
}

/// Marks from an object; absent gives none.
pub(crate) fn attributes(value: &JsValue) -> Result<Option<Attributes>, JsValue> {
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    match from_js(value, 0)? {
        Value::Object(map) => Ok(Some(map)),
        _ => Err(invalid("attributes", "an object")),
    }
}

fn from_js(value: &JsValue, depth: usize) -> Result<Value, JsValue> {
    let refused = || invalid("attributes", "plain JSON, at most 16 levels deep, with finite numbers");
    if depth > MAX_DEPTH {
        return Err(refused());
    }
    if value.is_null() || value.is_undefined() {
        return Ok(Value::Null);
    }
    if let Some(flag) = value.as_bool() {
        return Ok(Value::Bool(flag));
    }
    if let Some(number) = value.as_f64() {
        return if number.is_finite() { Ok(Value::Number(number)) } else { Err(refused()) };
    }
    if let Some(text) = value.as_string() {
        return Ok(Value::String(text));
    }
    if Array::is_array(value) {
        let items = Array::from(value);
        return items.iter().map(|item| from_js(&item, depth + 1)).collect::<Result<_, _>>().map(Value::Array);
    }
    if value.is_function() || !value.is_object() {
        return Err(refused());
    }
    let mut map = Attributes::new();
    for entry in Object::entries(value.unchecked_ref::<Object>()).iter() {
        let entry: Array = entry.unchecked_into();
        let key = entry.get(0).as_string().ok_or_else(refused)?;
        map.insert(key, from_js(&entry.get(1), depth + 1)?);
    }
    Ok(Value::Object(map))
}

fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_js).collect::<Array>().into(),
        Value::Object(map) => object(map).into(),
    }
}

fn object(map: &Attributes) -> Object {
    let out = Object::new();
    for (key, value) in map {
        set(&out, key, to_js(value));
    }
    out
}

/// A delta as in Quill: `{retain}`, `{insert}`, `{delete}`, each with `attributes` if it has marks. What is no text
/// stands as U+FFFC, so that positions stay right.
pub(crate) fn delta(steps: &[Delta]) -> Array {
    let step = |step: &Delta| {
        let out = Object::new();
        let attributes = match step {
            Delta::Retain { len, attributes } => {
                set(&out, "retain", *len);
                Some(attributes)
            }
            Delta::Insert { text, attributes } => {
                set(&out, "insert", text.as_str());
                Some(attributes)
            }
            Delta::Embed { attributes, .. } => {
                set(&out, "insert", "\u{fffc}");
                Some(attributes)
            }
            Delta::Delete { len } => {
                set(&out, "delete", *len);
                None
            }
        };
        if let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) {
            set(&out, "attributes", object(attributes));
        }
        JsValue::from(out)
    };
    steps.iter().map(step).collect()
}
