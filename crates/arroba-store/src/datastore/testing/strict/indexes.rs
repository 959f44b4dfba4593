//! Composite indexes: which query needs one. <https://cloud.google.com/datastore/docs/concepts/indexes>

use std::collections::BTreeSet;

use gcloud_sdk::{
    google::datastore::v1::{
        Filter, Query, filter::FilterType, property_filter::Operator, property_order::Direction,
    },
    tonic::Status,
};

/// A composite index, as `index.yaml` declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The kind.
    pub kind: String,
    /// The properties in order; those that descend start with `-`.
    pub properties: Vec<String>,
}

impl Index {
    /// An index of a kind.
    pub fn new(kind: &str, properties: &[&str]) -> Self {
        Self { kind: kind.to_owned(), properties: properties.iter().map(|&name| name.to_owned()).collect() }
    }
}

/// FAILED_PRECONDITION if the query needs a composite index that is not among those given.
pub(super) fn check(query: &Query, indexes: Option<&[Index]>) -> Result<(), Status> {
    let Some(indexes) = indexes else { return Ok(()) };
    let mut equal = BTreeSet::new();
    let mut ranges = BTreeSet::new();
    if let Some(filter) = &query.filter {
        collect(filter, &mut equal, &mut ranges);
    }
    let mut sorted: Vec<String> = Vec::new();
    for order in &query.order {
        let name = order.property.as_ref().map_or("", |property| property.name.as_str());
        if !equal.contains(name) {
            let descends = order.direction == i32::from(Direction::Descending);
            sorted.push(if descends { format!("-{name}") } else { name.to_owned() });
        }
    }
    for range in ranges {
        if !sorted.iter().any(|name| name.trim_start_matches('-') == range) {
            sorted.push(range.to_owned());
        }
    }
    // Every index ends in the key, ascending.
    if sorted.last().is_some_and(|name| name == "__key__") {
        sorted.pop();
    }
    let equal: BTreeSet<&str> = equal.into_iter().filter(|name| *name != "__key__").collect();
    let built_in = sorted.is_empty() || (sorted.len() == 1 && equal.is_empty() && sorted[0] != "-__key__");
    let kind = query.kind.first().map_or("", |kind| kind.name.as_str());
    let serves = |index: &Index| {
        let Some(start) = index.properties.len().checked_sub(sorted.len()) else { return false };
        let (first, rest) = index.properties.split_at(start);
        let first: BTreeSet<&str> = first.iter().map(|name| name.trim_start_matches('-')).collect();
        index.kind == kind && rest == sorted && first == equal
    };
    if built_in || indexes.iter().any(serves) {
        return Ok(());
    }
    Err(Status::failed_precondition(format!("no matching index found for {kind} ({equal:?}, {sorted:?})")))
}

fn collect<'a>(filter: &'a Filter, equal: &mut BTreeSet<&'a str>, ranges: &mut BTreeSet<&'a str>) {
    match &filter.filter_type {
        Some(FilterType::CompositeFilter(all)) => {
            for inner in &all.filters {
                collect(inner, equal, ranges);
            }
        }
        Some(FilterType::PropertyFilter(filter)) => {
            let name = filter.property.as_ref().map_or("", |property| property.name.as_str());
            match Operator::try_from(filter.op) {
                Ok(Operator::Equal | Operator::In) => equal.insert(name),
                _ => ranges.insert(name),
            };
        }
        None => {}
    }
}
