//! Errors as JavaScript sees them: `{code, message}`, codes of SPEC §9.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use crate::node::{ClientError, EditError};

/// An error to throw.
pub(crate) fn thrown(code: &str, message: &str) -> JsValue {
    let error = Object::new();
    let _ = Reflect::set(&error, &"code".into(), &code.into());
    let _ = Reflect::set(&error, &"message".into(), &message.into());
    error.into()
}

/// What a bad argument throws; `field` is its name.
pub(crate) fn invalid(field: &str, wanted: &str) -> JsValue {
    thrown("INVALID_ARGUMENT", &[field, " must be ", wanted].concat())
}

pub(crate) fn of_edit(error: &EditError) -> JsValue {
    let code = match error {
        EditError::TooLarge { .. } => "TOO_LARGE",
        EditError::TypeMismatch { .. } => "TYPE_MISMATCH",
        EditError::RoomFull => "ROOM_FULL",
        EditError::NotAnEditor => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    thrown(code, &error.to_string())
}

pub(crate) fn of_client(error: &ClientError) -> JsValue {
    let code = match error {
        ClientError::Address(_) => "INVALID_ADDRESS",
        ClientError::Identity(_) | ClientError::TokenTooLong { .. } => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    thrown(code, &error.to_string())
}
