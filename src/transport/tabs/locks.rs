//! Web Locks: held by one page of the origin at a time, and free the moment it is gone, however it ended.
//! <https://w3c.github.io/web-locks/>. In windows and workers; where there are none, nothing is ever granted.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::AbortController;

/// Asks for the lock `name` for this page alone. `if_available`: now or never; else waits its turn.
pub fn request(name: &str, if_available: bool) -> LockRequest {
    LockRequest::new(name, if_available, "exclusive")
}

/// Resolves when nobody holds the lock `name` alone: at once, or when its holder is gone.
pub fn freed(name: &str) -> LockRequest {
    LockRequest::new(name, false, "shared")
}

/// A lock that is asked for: resolves with it, or with `None` when it is not to be had. Dropping this withdraws.
#[must_use]
pub struct LockRequest {
    // The browser has one thread for all of this; libp2p asks for `Send` all the same.
    inner: SendWrapper<Option<Asked>>,
}

struct Asked {
    granted: oneshot::Receiver<Option<Function>>,
    call: Call,
}

/// What the browser may still call, and how to keep it from it.
struct Call {
    _granted: Closure<dyn FnMut(JsValue) -> Promise>,
    abort: Option<AbortController>,
}

impl Drop for Call {
    fn drop(&mut self) {
        // Of no effect on a lock that was granted.
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

impl LockRequest {
    fn new(name: &str, if_available: bool, mode: &str) -> Self {
        Self { inner: SendWrapper::new(Asked::new(name, if_available, mode).ok()) }
    }
}

impl Asked {
    fn new(name: &str, if_available: bool, mode: &str) -> Result<Self, JsValue> {
        let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
        let locks = Reflect::get(&navigator, &"locks".into())?;
        let request: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;

        let options = Object::new();
        Reflect::set(&options, &"mode".into(), &mode.into())?;
        // The two exclude each other: what is answered at once need not be withdrawn.
        let abort = if if_available {
            Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
            None
        } else {
            let abort = AbortController::new()?;
            Reflect::set(&options, &"signal".into(), &abort.signal())?;
            Some(abort)
        };

        let (sender, granted) = oneshot::channel();
        let sender = Rc::new(RefCell::new(Some(sender)));
        let answer = Rc::clone(&sender);
        // The lock is held until the promise that this returns is fulfilled.
        let callback = Closure::new(move |lock: JsValue| {
            let Some(sender) = answer.borrow_mut().take() else { return Promise::resolve(&JsValue::UNDEFINED) };
            if lock.is_null() {
                let _ = sender.send(None);
                return Promise::resolve(&JsValue::UNDEFINED);
            }
            let mut sender = Some(sender);
            Promise::new(&mut |release, _| {
                if let Some(Err(Some(release))) = sender.take().map(|sender| sender.send(Some(release))) {
                    let _ = release.call0(&JsValue::UNDEFINED);
                }
            })
        });
        let asked = request.call3(&locks, &name.into(), &options, callback.as_ref())?;
        let asked: Promise = asked.dyn_into()?;
        // Refused, withdrawn or over: nobody hears of a grant any more.
        spawn_local(async move {
            let _ = JsFuture::from(asked).await;
            sender.borrow_mut().take();
        });
        Ok(Self { granted, call: Call { _granted: callback, abort } })
    }
}

impl Future for LockRequest {
    type Output = Option<LockGuard>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(asked) = &mut *self.inner else { return Poll::Ready(None) };
        let Poll::Ready(granted) = Pin::new(&mut asked.granted).poll(cx) else { return Poll::Pending };
        let asked = Option::take(&mut self.inner);
        let release = granted.ok().flatten();
        Poll::Ready(
            release
                .zip(asked)
                .map(|(release, asked)| LockGuard { inner: SendWrapper::new(Held { release, _call: asked.call }) }),
        )
    }
}

/// A lock that is held. Dropping it gives it to the next.
pub struct LockGuard {
    inner: SendWrapper<Held>,
}

struct Held {
    release: Function,
    _call: Call,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let _ = self.inner.release.call0(&JsValue::UNDEFINED);
    }
}

impl fmt::Debug for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRequest").finish_non_exhaustive()
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").finish_non_exhaustive()
    }
}
