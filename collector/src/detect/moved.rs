//! Another record is accepted: what both records name is known still.

use super::{Detector, graph::Graph};
use std::collections::BTreeMap;

impl Detector {
    /// The same knowledge under another record: what both records name is kept; `was` gives the number that a site of
    /// the new one, by its id, had in the old one. A line that nothing watches any more leaves its fault.
    pub fn moved(&self, old: &Graph, new: &Graph, was: impl Fn(&str) -> Option<usize>) -> Detector {
        let mut moved = Detector::new(new);
        for (number, route) in new.routes.iter().enumerate() {
            if let Some(stream) = old.streams.get(&route.id).and_then(|old| self.streams.get(*old)) {
                moved.streams[number] = stream.clone();
            }
        }
        for (number, node) in new.nodes.iter().enumerate() {
            if let Some(ok) = old.index.get(node).and_then(|old| self.ok.get(*old)) {
                moved.ok[number] = *ok;
            }
        }
        for (number, site) in new.sites.iter().enumerate() {
            if let Some(habit) = was(&site.id).and_then(|old| self.habits.get(old)) {
                moved.habits[number] = habit.clone();
            }
        }
        let line_of: BTreeMap<&str, usize> =
            new.lines.iter().enumerate().map(|(n, line)| (line.id.as_str(), n)).collect();
        let renumber = |line: &usize| {
            let number = old.lines.get(*line).and_then(|l| line_of.get(l.id.as_str()).copied());
            number.filter(|number| !new.lines[*number].streams.is_empty())
        };
        for (number, shows) in self.lines.iter().enumerate() {
            if let Some(line) = renumber(&number) {
                moved.lines[line] = *shows;
            }
        }
        for (id, fault) in &self.faults {
            let mut fault = fault.clone();
            fault.lines = fault.lines.iter().filter_map(renumber).collect();
            moved.faults.insert(*id, fault);
        }
        moved.now = self.now;
        moved.proved.clone_from(&self.proved);
        moved.rides.clone_from(&self.rides);
        moved.next_fault = self.next_fault;
        moved.told_until = self.told_until;
        moved.falls = self.falls.moved(renumber);
        (moved.looked, moved.resumed) = (self.looked, self.resumed);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::rest::Habit;
    use crate::topology::{Site, Topology};

    #[test]
    fn a_site_under_another_id_is_off_at_the_hours_it_used_to_be() {
        let record =
            |id: &str| Topology { sites: [(id.to_owned(), Site::default())].into(), ..Topology::default() };
        let (old, new) = (Graph::of(&record("s")), Graph::of(&record("t")));
        let mut detector = Detector::new(&old);
        detector.habits[0] = Habit::used_to_nights();
        let moved = detector.moved(&old, &new, |id| (id == "t").then_some(0));
        assert_eq!(format!("{:?}", moved.habits), format!("{:?}", detector.habits));
    }
}
