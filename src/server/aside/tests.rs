use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::server::health_reporter;

use super::*;

/// Longer than any bound.
const HOUR: Duration = Duration::from_secs(3600);

/// A message without fields, as it is framed.
const EMPTY: &[u8] = &[0; 5];

/// Calls this method of whichever service there is.
async fn call<S>(service: &S, path: &str, body: Body) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let Ok(response) = service.clone().oneshot(request(path, body)).await;
    response
}

fn request(path: &str, body: Body) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/grpc");
    request.body(body).unwrap()
}

fn never() -> Body {
    Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Status>>()))
}

fn empty() -> Body {
    Body::new(Full::new(Bytes::from_static(EMPTY)))
}

/// The code of a response that is nothing else.
fn refused(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).expect("a status").code()
}

/// The code at the end of a response.
async fn end(response: Response<Body>) -> Code {
    let body = response.into_body().collect().await.unwrap();
    Status::from_header_map(body.trailers().expect("trailers")).expect("a status").code()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_come_is_waited_for_so_long() {
    let bounds = Bounds::new(2, CancellationToken::new());
    let health = bounds.around(health_reporter().1);
    for method in ["Check", "Watch"] {
        let began = Instant::now();
        let path = format!("/grpc.health.v1.Health/{method}");
        let answer = call(&health, &path, never()).await;
        assert_eq!(refused(&answer), Code::DeadlineExceeded, "{method}");
        assert_eq!(began.elapsed().as_secs(), REQUEST_TIME.as_secs(), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reflection_stream_lasts_a_minute_and_lets_go_of_its_request() {
    let reflection = tonic_reflection::server::Builder::configure();
    let reflection = reflection.build_v1().unwrap();
    let reflection = Bounds::new(1, CancellationToken::new()).around(reflection);
    let (held, body) = mpsc::channel::<Result<Frame<Bytes>, Status>>(1);
    let body = Body::new(StreamBody::new(ReceiverStream::new(body)));
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let began = Instant::now();
    let answer = call(&reflection, path, body).await;
    assert!(!held.is_closed());
    assert_eq!(end(answer).await, Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), REFLECTION_TIME.as_secs());
    tokio::time::timeout(HOUR, held.closed()).await.expect("a request nobody reads");
}

#[tokio::test(start_paused = true)]
async fn a_watch_lasts_until_the_stop() {
    let stop = CancellationToken::new();
    let health = Bounds::new(1, stop.clone()).around(health_reporter().1);
    let mut watch = call(&health, "/grpc.health.v1.Health/Watch", empty()).await;
    let mut next = async || tokio::time::timeout(HOUR, watch.body_mut().frame()).await;
    assert!(next().await.expect("a word").unwrap().unwrap().is_data());
    next().await.expect_err("no more for an hour");
    stop.cancel();
    assert_eq!(end(watch).await, Code::Unavailable);
}

/// Those whose requests are here are answered, however many wait for theirs.
#[tokio::test(start_paused = true)]
async fn past_the_bound_the_check_that_has_waited_longest_gives_way() {
    let health = Bounds::new(1, CancellationToken::new()).around(health_reporter().1);
    let path = "/grpc.health.v1.Health/Check";
    let mut waiting: Vec<_> =
        (0..CHECKS).map(|_| Box::pin(health.clone().oneshot(request(path, never())))).collect();
    for check in &mut waiting {
        assert!(futures_util::poll!(check).is_pending());
    }
    let crowd = tokio::spawn(async {
        let mut crowd: stream::FuturesUnordered<_> = waiting.into_iter().collect();
        let mut codes = Vec::new();
        while let Some(Ok(answer)) = crowd.next().await {
            codes.push(refused(&answer));
        }
        codes
    });
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(end(call(&health, path, empty()).await).await, Code::Ok);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    let codes = crowd.await.unwrap();
    assert_eq!(codes.len(), CHECKS as usize);
    assert_eq!(codes.iter().filter(|code| **code == Code::ResourceExhausted).count(), 1);
}
