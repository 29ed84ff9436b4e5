//! One session stream: frames in, frames out, each with its length in front.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future::poll_fn};

use crate::{
    base::{Refusal, limits::MAX_FRAME_BYTES},
    wire::put_uvarint,
};

/// Frames on their way out. The engine's window bounds them (`LINK_QUEUE_BYTES`).
#[derive(Debug, Default)]
pub(crate) struct LinkQueue {
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    frames: VecDeque<Vec<u8>>,
    closed: bool,
    /// The writer, waiting for frames.
    waker: Option<Waker>,
    /// Whoever waits for the end.
    ender: Option<Waker>,
}

impl LinkQueue {
    pub(crate) fn push(&self, frame: Vec<u8>) {
        let mut state = self.lock();
        if !state.closed {
            state.frames.push_back(frame);
        }
        wake(&mut state);
    }

    /// Ends the stream once what is queued was written.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        wake(&mut state);
    }

    /// Resolves when [`LinkQueue::close`] was called.
    pub(crate) async fn closed(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.closed {
                return Poll::Ready(());
            }
            state.ender = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Everything queued; `None` when closed and empty.
    async fn take(&self) -> Option<VecDeque<Vec<u8>>> {
        poll_fn(|context| {
            let mut state = self.lock();
            if !state.frames.is_empty() {
                return Poll::Ready(Some(std::mem::take(&mut state.frames)));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(state: &mut QueueState) {
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
    if state.closed
        && let Some(ender) = state.ender.take()
    {
        ender.wake();
    }
}

/// Writes what is queued until the queue is closed; reports the bytes of each write.
pub(crate) async fn write_frames(
    mut stream: impl AsyncWrite + Unpin,
    queue: &LinkQueue,
    mut written: impl FnMut(usize),
) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(frames) = queue.take().await {
        let mut total = 0;
        for frame in frames {
            put_uvarint(&mut buffer, frame.len() as u64);
            buffer.extend_from_slice(&frame);
            total += frame.len();
        }
        stream.write_all(&buffer).await?;
        stream.flush().await?;
        buffer.clear();
        buffer.shrink_to(MAX_FRAME_BYTES);
        written(total);
    }
    stream.close().await
}

/// Why no frame came.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The stream ended or broke.
    Ended,
    /// The peer broke a rule.
    Refused(Refusal),
}

/// Reads one frame. Its size is checked before anything is allocated for it.
pub(crate) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, ReadError> {
    let mut len = 0usize;
    for shift in (0..28).step_by(7) {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.map_err(|_| ReadError::Ended)?;
        let [byte] = byte;
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if len > MAX_FRAME_BYTES {
                return Err(ReadError::Refused(Refusal::FrameTooLarge));
            }
            return read_body(stream, len).await;
        }
    }
    Err(ReadError::Refused(Refusal::FrameTooLarge))
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin), len: usize) -> Result<Vec<u8>, ReadError> {
    // Grows with what really arrives: a declared megabyte costs nothing until it is sent.
    let mut body = Vec::with_capacity(len.min(4_096));
    let read = stream.take(len as u64).read_to_end(&mut body).await.map_err(|_| ReadError::Ended)?;
    if read == len { Ok(body) } else { Err(ReadError::Ended) }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};

    use super::*;

    #[test]
    fn w6_a_declared_length_over_the_limit_is_refused_at_the_header() {
        let mut header = Vec::new();
        put_uvarint(&mut header, MAX_FRAME_BYTES as u64 + 1);
        let refused = block_on(read_frame(&mut Cursor::new(header)));
        assert!(matches!(refused, Err(ReadError::Refused(Refusal::FrameTooLarge))));
        let endless = block_on(read_frame(&mut Cursor::new(vec![0xff; 12])));
        assert!(matches!(endless, Err(ReadError::Refused(Refusal::FrameTooLarge))));
    }

    #[test]
    fn w6_frames_round_trip_and_a_cut_one_is_an_end() {
        let queue = LinkQueue::default();
        queue.push(vec![1, 2, 3]);
        queue.push(vec![7; 300]);
        queue.close();
        let mut bytes = Vec::new();
        let mut total = 0;
        block_on(write_frames(&mut bytes, &queue, |written| total += written)).unwrap();
        assert_eq!(total, 303);
        let mut reader = Cursor::new(bytes.clone());
        assert_eq!(block_on(read_frame(&mut reader)).unwrap(), vec![1, 2, 3]);
        assert_eq!(block_on(read_frame(&mut reader)).unwrap(), vec![7; 300]);
        assert!(matches!(block_on(read_frame(&mut reader)), Err(ReadError::Ended)));
        bytes.truncate(20);
        let mut cut = Cursor::new(bytes);
        assert!(block_on(read_frame(&mut cut)).is_ok());
        assert!(matches!(block_on(read_frame(&mut cut)), Err(ReadError::Ended)));
    }
}
