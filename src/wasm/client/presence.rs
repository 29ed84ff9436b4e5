//! Presence: the own state as JavaScript merges it, and the states of others.

use js_sys::Array;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::NativeClient;
use crate::{
    base::NodeId,
    node::{Attributes, Reader, Value, node_name},
    wasm::{
        convert::{object, set},
        error::{invalid, of_edit},
        events::make,
        input::{fields, is_record},
    },
};

/// While the own state has this field, others see it change more often.
const URGENT: &str = "drag";

#[wasm_bindgen]
impl NativeClient {
    /// Merges fields into the own state; one that is `null` or `undefined` is removed. `null` removes all.
    #[wasm_bindgen(js_name = presenceSet)]
    pub fn presence_set(&self, values: &JsValue) -> Result<(), JsValue> {
        if values.is_null() {
            return self.show(Attributes::new());
        }
        if !is_record(values) {
            return Err(invalid("fields", "an object"));
        }
        self.merge_presence(values)
    }

    /// The own state.
    #[wasm_bindgen(js_name = presenceGet)]
    pub fn presence_get(&self) -> JsValue {
        let own = self.presence.borrow().clone();
        object(&own).into()
    }

    /// `[peerId, state]` for everyone else who has one.
    #[wasm_bindgen(js_name = presenceOthers)]
    pub fn presence_others(&self) -> Array {
        let states = self.client.read(|engine| engine.presence().clone());
        let shown = |(node, state): (&NodeId, &Vec<u8>)| {
            let state = decode(state)?;
            Some(Array::of2(&node_name(node).into(), &object(&state)))
        };
        states.iter().filter_map(shown).collect()
    }
}

impl NativeClient {
    pub(crate) fn merge_presence(&self, values: &JsValue) -> Result<(), JsValue> {
        let mut merged = self.presence.borrow().clone();
        for (name, value) in fields(values, &[])? {
            match value {
                None | Some(Value::Null) => merged.remove(&name),
                Some(value) => merged.insert(name, value),
            };
        }
        self.show(merged)
    }

    fn show(&self, state: Attributes) -> Result<(), JsValue> {
        let urgent = state.contains_key(URGENT);
        let mut encoded = Vec::new();
        let state = Value::Object(state);
        state.encode(&mut encoded);
        let Value::Object(state) = state else { return Ok(()) };
        let encoded = Some(encoded).filter(|_| !state.is_empty());
        let set = self.client.with(|engine, now| engine.set_presence(now, encoded, urgent));
        set.map_err(|error| of_edit(&error))?;
        self.presence.replace(state);
        Ok(())
    }
}

/// The event of somebody's new state; none if it cannot be read.
pub(crate) fn changed(node: &NodeId, state: Option<&[u8]>) -> Option<JsValue> {
    let state = match state {
        None => JsValue::UNDEFINED,
        Some(bytes) => object(&decode(bytes)?).into(),
    };
    Some(make("presence", |out| {
        set(out, "peerId", node_name(node));
        set(out, "state", state);
    }))
}

fn decode(bytes: &[u8]) -> Option<Attributes> {
    match Value::decode(&mut Reader::new(bytes)) {
        Ok(Value::Object(state)) => Some(state),
        _ => None,
    }
}
