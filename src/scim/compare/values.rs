//! The values of a multi-valued attribute: each expected one finds its partner, whatever the order.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde_json::Value;

use super::{Comparison, Extent, Place, same_value};
use crate::scim::definition::sub_attribute;
use crate::scim::resource::{get, is_unassigned};
use crate::scim::schema::Attribute;

/// Beyond this many values, those of a list are paired first come, first served.
const MAX_MATCHING: usize = 400;

impl Comparison<'_> {
    pub(super) fn list(
        &mut self,
        expected: &[Value],
        actual: &[Value],
        attribute: Option<&Attribute>,
        place: Place,
        depth: usize,
    ) {
        let small = expected.len() <= MAX_MATCHING && actual.len() <= MAX_MATCHING;
        // Each pair is compared once only: values may nest, and a hostile answer must not cost exponential time.
        let known: RefCell<Vec<Option<bool>>> =
            RefCell::new(if small { vec![None; expected.len() * actual.len()] } else { Vec::new() });
        let fits = |this: &Self, left: usize, right: usize| {
            let cell = left * actual.len() + right;
            if let Some(Some(known)) = known.borrow().get(cell) {
                return *known;
            }
            let here = Place { shown: String::new(), notation: place.notation.clone() };
            let found = this.of_elements(&expected[left], &actual[right], attribute, here, depth);
            if let Some(known) = known.borrow_mut().get_mut(cell) {
                *known = Some(found.is_empty());
            }
            found.is_empty()
        };
        let is_repeated = |left: usize| {
            expected[..left].iter().any(|earlier| same_value(earlier, &expected[left], attribute))
        };
        let wanted: Vec<usize> = (0..expected.len()).filter(|left| !small || !is_repeated(*left)).collect();

        let mut partner: Vec<Option<usize>> = vec![None; actual.len()];
        let mut missing = Vec::new();
        for &left in &wanted {
            // The same index first: lists mostly keep their order.
            let same_index =
                Some(left).filter(|it| *it < actual.len() && partner[*it].is_none() && fits(self, left, *it));
            let free = same_index.or_else(|| {
                (0..actual.len()).find(|right| partner[*right].is_none() && fits(self, left, *right))
            });
            match free {
                Some(right) => partner[right] = Some(left),
                None if small && self.augment(left, &mut partner, &|left, right| fits(self, left, right)) => {
                }
                None => missing.push(left),
            }
        }
        let mut extra: Vec<usize> = match self.options.extent {
            Extent::Subset => Vec::new(),
            Extent::Whole => (0..actual.len())
                .filter(|right| partner[*right].is_none() && !is_unassigned(&actual[*right]))
                .filter(|right| !(small && wanted.iter().any(|left| fits(self, *left, *right))))
                .collect(),
        };
        let free: Vec<usize> = (0..actual.len()).filter(|right| partner[*right].is_none()).collect();
        let mut claimed: Vec<usize> = Vec::new();
        for left in missing {
            let here = place.element(left);
            let counterpart = counterpart(&expected[left], actual, &free, &claimed, attribute);
            match counterpart {
                Some(right) => {
                    claimed.push(right);
                    extra.retain(|it| *it != right);
                    let found = self.of_elements(&expected[left], &actual[right], attribute, here, depth);
                    for difference in found {
                        self.report(
                            &difference.path,
                            difference.expected.as_ref(),
                            difference.actual.as_ref(),
                        );
                    }
                }
                None => self.report(&here.shown, Some(&expected[left]), None),
            }
        }
        for right in extra {
            self.report(&place.element(right).shown, None, Some(&actual[right]));
        }
    }

    /// Finds a partner for `start` by moving others to partners that suit them too; breadth first.
    fn augment(
        &self,
        start: usize,
        partner: &mut [Option<usize>],
        fits: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        let mut reached_from: Vec<Option<usize>> = vec![None; partner.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(left) = queue.pop_front() {
            for right in 0..partner.len() {
                if reached_from[right].is_some() || !fits(left, right) {
                    continue;
                }
                reached_from[right] = Some(left);
                match partner[right] {
                    Some(holder) => queue.push_back(holder),
                    None => {
                        // Hand each actual element on to whoever reached it, back to the start.
                        let mut free = right;
                        while let Some(left) = reached_from[free] {
                            let held = partner.iter().position(|it| *it == Some(left));
                            partner[free] = Some(left);
                            match held {
                                Some(next) => {
                                    partner[next] = None;
                                    free = next;
                                }
                                None => return true,
                            }
                        }
                        return true;
                    }
                }
            }
        }
        false
    }
}

/// The actual element that an expected one was most likely meant to be: the only one left, or one with the same
/// `value` or, failing that, `type`.
fn counterpart(
    expected: &Value,
    actual: &[Value],
    free: &[usize],
    claimed: &[usize],
    attribute: Option<&Attribute>,
) -> Option<usize> {
    let candidates: Vec<usize> = free
        .iter()
        .copied()
        .filter(|right| !claimed.contains(right) && actual[*right].is_object() && expected.is_object())
        .collect();
    for name in ["value", "type"] {
        let Some(wanted) = get(expected, name) else { continue };
        let sub = attribute.and_then(|it| sub_attribute(it, name));
        let found = candidates
            .iter()
            .copied()
            .find(|right| get(&actual[*right], name).is_some_and(|it| same_value(wanted, it, sub)));
        if found.is_some() {
            return found;
        }
    }
    match candidates.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}
