//! Long lists of numbers that change seldom, as runs.

use crate::{
    base::Seq,
    wire::{Reader, WireError, put_uvarint},
};

/// The Yjs clock that a writer had reached after each position: runs of equal steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clocks(Vec<Run>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Last position of the run, the clock after it, and by how much each position advances it.
    seq: Seq,
    clock: u64,
    step: u64,
}

impl Clocks {
    /// Adds the clock after the next position. Clocks never go back.
    pub(crate) fn push(&mut self, clock: u64) {
        let (seq, before) = self.0.last().map_or((0, 0), |run| (run.seq, run.clock));
        let step = clock.saturating_sub(before);
        match self.0.last_mut().filter(|run| run.step == step) {
            Some(run) => (run.seq, run.clock) = (seq + 1, clock),
            None => self.0.push(Run { seq: seq + 1, clock, step }),
        }
    }

    /// The clock after `seq`; 0 before the first, that after the last behind it.
    pub(crate) fn after(&self, seq: Seq) -> u64 {
        if seq == 0 {
            return 0;
        }
        let at = self.0.partition_point(|run| run.seq < seq);
        match self.0.get(at) {
            Some(run) => run.clock.saturating_sub((run.seq - seq).saturating_mul(run.step)),
            None => self.0.last().map_or(0, |run| run.clock),
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_uvarint(out, self.0.len() as u64);
        let mut before = 0;
        for run in &self.0 {
            put_uvarint(out, run.seq - before);
            put_uvarint(out, run.step);
            before = run.seq;
        }
    }

    /// Clocks of exactly `seq` positions, none over `max`.
    pub(crate) fn decode(reader: &mut Reader<'_>, seq: Seq, max: u64) -> Result<Self, WireError> {
        // A run takes two bytes at least.
        let count = reader.length("clock runs", reader.remaining() / 2)?;
        let mut runs: Vec<Run> = Vec::new();
        let (mut last, mut clock) = (0_u64, 0_u64);
        for _ in 0..count {
            let (len, step) = (reader.uvarint()?, reader.uvarint()?);
            let same = runs.last().is_some_and(|run| run.step == step);
            let end = last.checked_add(len).filter(|end| *end <= seq && len > 0 && !same);
            let gained =
                step.checked_mul(len).and_then(|gained| clock.checked_add(gained)).filter(|clock| *clock <= max);
            let (Some(end), Some(gained)) = (end, gained) else { return Err(WireError::NotCanonical("clock runs")) };
            (last, clock) = (end, gained);
            runs.push(Run { seq: end, clock, step });
        }
        if last == seq { Ok(Self(runs)) } else { Err(WireError::NotCanonical("clock runs")) }
    }
}

/// Up to which position each writer of a table had been seen, by its place there: runs of equal codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(Vec<(u64, usize)>);

/// Codes of [`Seen`]: nothing, everything up to the table's head, or up to a position (one more than it).
const NOTHING: u64 = 0;
const HEAD: u64 = 1;

impl Seen {
    /// From positions in the table's order; `heads` are the table's.
    pub(crate) fn pack(seqs: &[Seq], heads: &[Seq]) -> Self {
        let mut runs: Vec<(u64, usize)> = Vec::new();
        for (seq, head) in seqs.iter().zip(heads) {
            let code = match *seq {
                0 => NOTHING,
                seq if seq == *head => HEAD,
                seq => seq.saturating_add(1),
            };
            match runs.last_mut().filter(|(last, _)| *last == code) {
                Some((_, count)) => *count += 1,
                None => runs.push((code, 1)),
            }
        }
        runs.pop_if(|(code, _)| *code == NOTHING);
        Self(runs)
    }

    /// Positions in the table's order, as long as the table.
    pub(crate) fn unpack(&self, heads: &[Seq]) -> Vec<Seq> {
        let codes = self.0.iter().flat_map(|(code, count)| std::iter::repeat_n(*code, *count));
        let mut seqs: Vec<Seq> = codes.zip(heads).map(|(code, head)| position(code, *head)).collect();
        seqs.resize(heads.len(), 0);
        seqs
    }

    /// Up to where the writer at `place` had been seen, whose head is `head`.
    pub(crate) fn at(&self, place: usize, head: Seq) -> Seq {
        let mut end = 0;
        for (code, count) in &self.0 {
            end += count;
            if place < end {
                return position(*code, head);
            }
        }
        0
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_uvarint(out, self.0.len() as u64);
        for (code, count) in &self.0 {
            put_uvarint(out, *code);
            put_uvarint(out, *count as u64);
        }
    }

    /// Of a table of `writers`.
    pub(crate) fn decode(reader: &mut Reader<'_>, writers: usize) -> Result<Self, WireError> {
        let count = reader.length("seen runs", writers.min(reader.remaining() / 2))?;
        let mut runs = Vec::new();
        let mut left = writers;
        for _ in 0..count {
            let code = reader.uvarint()?;
            let len = reader.length("seen run", left)?;
            left -= len;
            if len == 0 || runs.last().is_some_and(|(last, _)| *last == code) {
                return Err(WireError::NotCanonical("seen runs"));
            }
            runs.push((code, len));
        }
        Ok(Self(runs))
    }
}

fn position(code: u64, head: Seq) -> Seq {
    match code {
        NOTHING => 0,
        HEAD => head,
        seq => (seq - 1).min(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_clocks_are_runs_of_equal_steps() {
        let all = [1, 2, 3, 3, 3, 10, 17, 17];
        let mut clocks = Clocks::default();
        all.iter().for_each(|clock| clocks.push(*clock));
        let after: Vec<u64> = (1..=all.len() as u64).map(|seq| clocks.after(seq)).collect();
        assert_eq!(after, all);
        assert_eq!((clocks.after(0), clocks.after(99)), (0, 17));
        let mut bytes = Vec::new();
        clocks.encode(&mut bytes);
        assert_eq!(bytes.len(), 9);
        assert_eq!(Clocks::decode(&mut Reader::new(&bytes), 8, 17), Ok(clocks));
        assert!(Clocks::decode(&mut Reader::new(&bytes), 9, 17).is_err(), "positions are missing");
        assert!(Clocks::decode(&mut Reader::new(&bytes), 8, 16).is_err(), "a clock over the limit");
    }

    #[test]
    fn f1_what_was_seen_is_runs_over_the_table() {
        let heads = [5, 3, 9, 4, 4];
        let seqs = [5, 3, 2, 0, 0];
        let seen = Seen::pack(&seqs, &heads);
        assert_eq!(seen.0, [(HEAD, 2), (3, 1)]);
        assert_eq!(seen.unpack(&heads), seqs);
        let at: Vec<Seq> = (0..5).map(|place| seen.at(place, heads[place])).collect();
        assert_eq!(at, seqs);
        let mut bytes = Vec::new();
        seen.encode(&mut bytes);
        assert_eq!(Seen::decode(&mut Reader::new(&bytes), 5), Ok(seen));
        assert!(Seen::decode(&mut Reader::new(&bytes), 2).is_err(), "more than there are writers");
    }
}
