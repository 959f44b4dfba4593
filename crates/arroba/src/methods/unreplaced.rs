//! The library's own methods, but for those that somebody serves in their place.

use arroba_lexicons::Endpoint;
use arroba_xrpc::{BodyLimit, RouterExt};
use axum::Router;
use axum::handler::Handler;

use super::Methods;

/// A router that methods are added to, unless there is one of their name already: axum takes no second route at a path.
pub(crate) struct Unreplaced<'m, S> {
    router: Router<S>,
    others: &'m Methods,
}

impl<'m, S: Clone + Send + Sync + 'static> Unreplaced<'m, S> {
    /// A router without routes.
    pub(crate) fn new(others: &'m Methods) -> Self {
        Self { router: Router::new(), others }
    }

    /// What was added.
    pub(crate) fn router(self) -> Router<S> {
        self.router
    }
}

impl<S: Clone + Send + Sync + 'static> RouterExt<S> for Unreplaced<'_, S> {
    fn endpoint_with<E: Endpoint, T: 'static>(self, handler: impl Handler<T, S>, limit: BodyLimit) -> Self {
        if self.others.has(E::NSID) {
            return self;
        }
        Self { router: self.router.endpoint_with::<E, T>(handler, limit), ..self }
    }

    fn unknown_methods(self) -> Self {
        Self { router: self.router.unknown_methods(), ..self }
    }
}
