//! Records.

use std::collections::BTreeMap;

use js_sys::Array;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::NativeClient;
use crate::{
    node::{DeletePolicy, Place, RecordWrite, Value},
    wasm::{
        content::{records, records_array},
        convert::record,
        error::invalid,
        input::{fields, given, is_record, name, unsigned},
    },
};

#[wasm_bindgen]
impl NativeClient {
    /// Creates a record or sets its named fields; `undefined` removes one.
    #[wasm_bindgen(js_name = recordSet)]
    pub fn record_set(&self, collection: &JsValue, id: &JsValue, values: &JsValue) -> Result<f64, JsValue> {
        let (collection, id) = (name(collection, "collection")?, name(id, "id")?);
        if !is_record(values) {
            return Err(invalid("fields", "an object"));
        }
        self.write_record(&collection, &id, &fields(values, &[])?, RecordWrite::Upsert)
    }

    /// Deletes a record. `update_wins`: what others write to it at the same time brings it back.
    #[wasm_bindgen(js_name = recordDelete)]
    pub fn record_delete(&self, collection: &JsValue, id: &JsValue, update_wins: bool) -> Result<f64, JsValue> {
        let (collection, id) = (name(collection, "collection")?, name(id, "id")?);
        let policy = if update_wins { DeletePolicy::UpdateWins } else { DeletePolicy::DeleteWins };
        self.edit(|engine, now| engine.record_delete(now, &collection, &id, policy))
    }

    /// Moves a record to `{index}`, `{before}` or `{after}`.
    #[wasm_bindgen(js_name = recordMove)]
    pub fn record_move(&self, collection: &JsValue, id: &JsValue, place: &JsValue) -> Result<f64, JsValue> {
        let (collection, id) = (name(collection, "collection")?, name(id, "id")?);
        self.move_record(&collection, &id, place)
    }

    /// A record, or `undefined`.
    #[wasm_bindgen(js_name = recordGet)]
    pub fn record_get(&self, collection: &JsValue, id: &JsValue) -> Result<JsValue, JsValue> {
        let (collection, id) = (name(collection, "collection")?, name(id, "id")?);
        let found = self.client.read(|engine| engine.replica().record_fields(&collection, &id));
        Ok(found.map_or(JsValue::UNDEFINED, |fields| record(&id, &fields).into()))
    }

    /// Ids in order.
    #[wasm_bindgen(js_name = recordIds)]
    pub fn record_ids(&self, collection: &JsValue) -> Result<Array, JsValue> {
        let collection = name(collection, "collection")?;
        let copy = |id: &str| id.to_owned();
        let ids: Vec<String> = self.client.read(|engine| engine.replica().record_ids(&collection).map(copy).collect());
        Ok(ids.into_iter().map(JsValue::from).collect())
    }

    /// Records in order.
    #[wasm_bindgen(js_name = recordValues)]
    pub fn record_values(&self, collection: &JsValue) -> Result<Array, JsValue> {
        let collection = name(collection, "collection")?;
        let copied = self.client.read(|engine| records(engine.replica(), &collection));
        Ok(records_array(&copied))
    }
}

impl NativeClient {
    pub(crate) fn write_record(
        &self,
        collection: &str,
        id: &str,
        fields: &BTreeMap<String, Option<Value>>,
        mode: RecordWrite,
    ) -> Result<f64, JsValue> {
        self.edit(|engine, now| engine.record_set(now, collection, id, fields, mode))
    }

    /// Moves a record to the place that one of `index`, `before` and `after` in `place` names.
    pub(crate) fn move_record(&self, collection: &str, id: &str, place: &JsValue) -> Result<f64, JsValue> {
        let wanted = || invalid("place", "exactly one of before, after and index");
        let place = match (given(place, "index"), given(place, "before"), given(place, "after")) {
            (Some(index), None, None) => Place::Index(unsigned(index.as_f64().unwrap_or(f64::NAN), "index")?),
            (None, Some(end), None) if end.is_null() => {
                let len = self.client.read(|engine| engine.replica().records_len(collection));
                Place::Index(len.saturating_sub(1) as u32)
            }
            (None, Some(before), None) => Place::Before(name(&before, "before")?),
            (None, None, Some(after)) => Place::After(name(&after, "after")?),
            _ => return Err(wanted()),
        };
        self.edit(|engine, now| engine.record_move(now, collection, id, &place))
    }
}
