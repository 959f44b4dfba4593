//! Queries, said shortly.

use gcloud_sdk::google::datastore::v1::{
    CompositeFilter, Filter, KindExpression, Projection, PropertyFilter, PropertyOrder, PropertyReference,
    Query, Value, composite_filter, filter::FilterType, property_filter::Operator, property_order::Direction,
    value::ValueType,
};

/// A query over the entities of one kind. Filters that are added one after the other must all hold.
#[derive(Clone, Debug)]
pub struct Select {
    query: Query,
    filters: Vec<Filter>,
}

impl Select {
    /// The property that stands for the key, in filters and orders.
    pub const KEY: &'static str = "__key__";

    /// All entities of a kind.
    pub fn from(kind: &str) -> Self {
        let query = Query { kind: vec![KindExpression { name: kind.to_owned() }], ..Query::default() };
        Self { query, filters: Vec::new() }
    }

    /// Those whose property compares like this with a value; in an array one element has to.
    #[must_use]
    pub fn and(mut self, property: &str, op: Operator, value: ValueType) -> Self {
        let value = Some(Value { value_type: Some(value), ..Value::default() });
        let filter = PropertyFilter { property: reference(property), op: op.into(), value };
        self.filters.push(Filter { filter_type: Some(FilterType::PropertyFilter(filter)) });
        self
    }

    /// In the order of a property; the first call is the first criterion.
    #[must_use]
    pub fn order(mut self, property: &str, direction: Direction) -> Self {
        let order = PropertyOrder { property: reference(property), direction: direction.into() };
        self.query.order.push(order);
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u16) -> Self {
        self.query.limit = Some(limit.into());
        self
    }

    /// Those behind a cursor, which a query that was otherwise the same has given.
    #[must_use]
    pub fn after(mut self, cursor: Vec<u8>) -> Self {
        self.query.start_cursor = cursor;
        self
    }

    /// Their keys alone: one small read, however many there are.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.query.projection = vec![Projection { property: reference(Self::KEY) }];
        self
    }
}

impl From<Select> for Query {
    fn from(select: Select) -> Self {
        let Select { mut query, mut filters } = select;
        query.filter = match filters.len() {
            0 => None,
            1 => filters.pop(),
            _ => {
                let all = CompositeFilter { op: composite_filter::Operator::And.into(), filters };
                Some(Filter { filter_type: Some(FilterType::CompositeFilter(all)) })
            }
        };
        query
    }
}

fn reference(property: &str) -> Option<PropertyReference> {
    Some(PropertyReference { name: property.to_owned() })
}
