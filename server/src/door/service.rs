use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory, always_ready};
use futures_util::future::{LocalBoxFuture, Ready, ready};
use tokio::sync::mpsc;

use super::Door;
use super::render::Outgoing;
use super::request_id::RequestIds;

/// Makes a worker's door. It replaces the framework's own application: no routing table, no
/// extension maps, no middleware, one boxed future a request.
pub(crate) struct DoorFactory {
    door: Arc<Door>,
    started: mpsc::Sender<()>,
}

impl DoorFactory {
    /// `started` hears of every worker that can take requests.
    pub(crate) fn new(door: Arc<Door>, started: mpsc::Sender<()>) -> Self {
        Self { door, started }
    }
}

impl ServiceFactory<Request> for DoorFactory {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Config = ();
    type Service = DoorService;
    type InitError = Infallible;
    type Future = Ready<Result<DoorService, Infallible>>;

    fn new_service(&self, (): ()) -> Self::Future {
        // nobody listens any more when a worker is replaced later
        let _unheard = self.started.try_send(());
        ready(Ok(DoorService {
            door: Arc::clone(&self.door),
            ids: Rc::new(RequestIds::new()),
        }))
    }
}

/// A worker's door.
pub(crate) struct DoorService {
    door: Arc<Door>,
    ids: Rc<RequestIds>,
}

impl Service<Request> for DoorService {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Response<Outgoing>, Infallible>>;

    always_ready!();

    fn call(&self, request: Request) -> Self::Future {
        let door = Arc::clone(&self.door);
        let id = self.ids.next();
        Box::pin(async move { Ok(door.enter(request, id).await) })
    }
}
