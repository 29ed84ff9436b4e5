//! Maps and lists.

use js_sys::Array;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::NativeClient;
use crate::wasm::{
    convert::{array, to_js},
    input::{name, unsigned, value, values},
};

#[wasm_bindgen]
impl NativeClient {
    /// Sets a key.
    #[wasm_bindgen(js_name = mapSet)]
    pub fn map_set(&self, map: &JsValue, key: &JsValue, given: &JsValue) -> Result<f64, JsValue> {
        let (map, key, given) = (name(map, "map")?, name(key, "key")?, value(given, "value")?);
        self.edit(|engine, now| engine.map_set(now, &map, &key, &given))
    }

    /// Removes a key.
    #[wasm_bindgen(js_name = mapDelete)]
    pub fn map_delete(&self, map: &JsValue, key: &JsValue) -> Result<f64, JsValue> {
        let (map, key) = (name(map, "map")?, name(key, "key")?);
        self.edit(|engine, now| engine.map_delete(now, &map, &key))
    }

    /// The value of a key, or `undefined`.
    #[wasm_bindgen(js_name = mapGet)]
    pub fn map_get(&self, map: &JsValue, key: &JsValue) -> Result<JsValue, JsValue> {
        let (map, key) = (name(map, "map")?, name(key, "key")?);
        let found = self.client.read(|engine| engine.replica().map_get(&map, &key));
        Ok(found.as_ref().map_or(JsValue::UNDEFINED, to_js))
    }

    /// `[key, value]` for every key, ascending.
    #[wasm_bindgen(js_name = mapEntries)]
    pub fn map_entries(&self, map: &JsValue) -> Result<Array, JsValue> {
        let map = name(map, "map")?;
        let entries = self.client.read(|engine| engine.replica().map(&map));
        Ok(entries.iter().map(|(key, value)| Array::of2(&key.as_str().into(), &to_js(value))).collect())
    }

    /// Inserts items.
    #[wasm_bindgen(js_name = listInsert)]
    pub fn list_insert(&self, list: &JsValue, index: f64, items: &JsValue) -> Result<f64, JsValue> {
        let (list, index, items) = (name(list, "list")?, unsigned(index, "index")?, values(items, "values")?);
        self.edit(|engine, now| engine.list_insert(now, &list, index, &items))
    }

    /// Deletes items.
    #[wasm_bindgen(js_name = listDelete)]
    pub fn list_delete(&self, list: &JsValue, index: f64, length: f64) -> Result<f64, JsValue> {
        let (list, index, length) = (name(list, "list")?, unsigned(index, "index")?, unsigned(length, "length")?);
        self.edit(|engine, now| engine.list_delete(now, &list, index, length))
    }

    /// An item, or `undefined`.
    #[wasm_bindgen(js_name = listGet)]
    pub fn list_get(&self, list: &JsValue, index: f64) -> Result<JsValue, JsValue> {
        let (list, index) = (name(list, "list")?, unsigned(index, "index")?);
        let items = self.client.read(|engine| engine.replica().list(&list));
        Ok(items.get(index as usize).map_or(JsValue::UNDEFINED, to_js))
    }

    /// Every item.
    #[wasm_bindgen(js_name = listValues)]
    pub fn list_values(&self, list: &JsValue) -> Result<Array, JsValue> {
        let list = name(list, "list")?;
        let items = self.client.read(|engine| engine.replica().list(&list));
        Ok(array(&items))
    }

    /// How many items there are.
    #[wasm_bindgen(js_name = listLength)]
    pub fn list_length(&self, list: &JsValue) -> Result<u32, JsValue> {
        let list = name(list, "list")?;
        Ok(self.client.read(|engine| engine.replica().list_len(&list)))
    }
}
