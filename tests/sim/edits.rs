//! What simulated users do beside typing tokens: scribble in a second text, edit records, undo.

use std::collections::{BTreeMap, BTreeSet};

use peersync::{
    base::Timestamp,
    sync::{Attributes, DeletePolicy, Place, RecordWrite, Value},
};

use crate::world::World;

const COLLECTION: &str = "shapes";

impl World {
    /// Edits without an oracle of their own: convergence, and that what applications hear adds up, is asked of them.
    pub fn scribble(&mut self, node: usize) {
        for _ in 0..=self.below(3) {
            match self.below(8) {
                0 | 1 => self.scribble_text(node),
                2 | 3 => self.set_record(node),
                4 => self.move_record(node),
                5 => self.delete_record(node),
                6 => self.scribble_map_or_list(node),
                _ => self.travel(node),
            }
        }
    }

    fn scribble_text(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let len = self.nodes[node].engine.replica().text_len("scratch");
        let at = self.below(u64::from(len) + 1) as u32;
        let some = self.below(4) as u32;
        match self.below(3) {
            0 => drop(self.nodes[node].engine.insert(now, "scratch", at, "a\u{1f600}b", None)),
            1 => drop(self.nodes[node].engine.delete(now, "scratch", at, some.min(len - at))),
            _ => {
                let marks = Attributes::from([("bold".to_owned(), Value::Bool(some > 1))]);
                drop(self.nodes[node].engine.format(now, "scratch", at, some.min(len - at), &marks));
            }
        }
    }

    fn scribble_map_or_list(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let (choice, number) = (self.below(4), self.below(1_000) as f64);
        let key = format!("k{}", self.below(4));
        let len = self.nodes[node].engine.replica().list_len("list");
        let at = self.below(u64::from(len) + 1) as u32;
        let value = Value::Array(vec![Value::Number(number), Value::String("\u{1f600}".into())]);
        let engine = &mut self.nodes[node].engine;
        match choice {
            0 => drop(engine.map_set(now, "map", &key, &value).unwrap()),
            1 => drop(engine.map_delete(now, "map", &key)),
            2 => drop(engine.list_insert(now, "list", at, &[value, Value::Null]).unwrap()),
            _ => drop(engine.list_delete(now, "list", at, 1.min(len - at)).unwrap()),
        }
    }

    fn set_record(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let id = format!("r{}", self.below(6));
        let value = (self.below(5) > 0).then(|| Value::Number(self.below(100) as f64));
        let fields = BTreeMap::from([(format!("f{}", self.below(3)), value)]);
        self.nodes[node].engine.record_set(now, COLLECTION, &id, &fields, RecordWrite::Upsert).unwrap();
    }

    fn move_record(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let ids = self.record_ids(node);
        if ids.len() < 2 {
            return;
        }
        let id = ids[self.below(ids.len() as u64) as usize].clone();
        let other = ids[self.below(ids.len() as u64) as usize].clone();
        let place = match self.below(3) {
            0 => Place::Before(other.clone()),
            1 => Place::After(other.clone()),
            _ => Place::Index(self.below(ids.len() as u64) as u32),
        };
        let moved = self.nodes[node].engine.record_move(now, COLLECTION, &id, &place);
        assert!(moved.is_ok() || id == other, "{moved:?}");
    }

    fn delete_record(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let ids = self.record_ids(node);
        if ids.is_empty() {
            return;
        }
        let id = &ids[self.below(ids.len() as u64) as usize];
        let policy = if self.chance(50) { DeletePolicy::DeleteWins } else { DeletePolicy::UpdateWins };
        self.nodes[node].engine.record_delete(now, COLLECTION, id, policy).unwrap();
    }

    fn record_ids(&self, node: usize) -> Vec<String> {
        self.nodes[node].engine.replica().record_ids(COLLECTION).map(str::to_owned).collect()
    }

    /// Undo or redo. Of the tokens, which nobody deletes otherwise, only the user's own may go or come back (U2).
    fn travel(&mut self, node: usize) {
        let now = Timestamp(self.now);
        let before = self.tokens(node);
        let undoing = self.chance(60);
        let engine = &mut self.nodes[node].engine;
        let moved = if undoing { engine.undo(now) } else { engine.redo(now) };
        let Some(seq) = moved.unwrap() else { return };
        self.report.undone += 1;
        let after = self.tokens(node);
        let here = &mut self.nodes[node];
        for token in before.difference(&after) {
            let known = here.typed.iter().any(|(_, typed)| typed == token);
            assert!(known, "seed {}: node {node} took {token} back, which is not its own", self.seed);
            here.typed.retain(|(_, typed)| typed != token);
            here.taken_back.insert(token.clone());
            self.acked.remove(token);
        }
        for token in after.difference(&before) {
            let known = here.taken_back.remove(token);
            assert!(known, "seed {}: node {node} brought {token} back, which it had not taken", self.seed);
            here.typed.push((seq, token.clone()));
        }
    }

    fn tokens(&self, node: usize) -> BTreeSet<String> {
        let text = self.nodes[node].engine.replica().text("tokens");
        text.split_inclusive('>').map(str::to_owned).collect()
    }
}
