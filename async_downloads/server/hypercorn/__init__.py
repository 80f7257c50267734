"""The one door to Hypercorn: no other package of `server` knows its private names.

Hypercorn has no settings for what we change, so `install` puts four classes of ours in the place of its own:

    hypercorn.asyncio.run.TCPServer      Connection            sends regions of files past the transport
    hypercorn.protocol.H11Protocol       Protocol              joins a response's head to the start of its body
    hypercorn.protocol.h11.HTTPStream    Stream                offers the ASGI extension `ZERO_COPY_SEND` to the app
    hypercorn.protocol.h2.StreamBuffer   BoundedStreamBuffer   makes an HTTP/2 writer wait for its client

These classes depend on the following names, too:

    TCPServer            protocol_send, _read_data, _close: overridden; writer, send_lock, protocol, idle_task: used
    H11Protocol          handle, stream_send, _check_protocol, _send_h11_event: overridden
                         can_read, connection, config, keep_alive_requests, send: used
    HTTPStream           handle, app_send: overridden; scope, response, state, send, stream_id: used
    StreamBuffer         push, pop: overridden; buffer, _complete, _is_empty, _paused: used
    BufferCompleteError  raised by `push` after the end of a stream
    AsyncioSingleTask    base of `DeferredTask`, which makes the task of an idle connection later than Hypercorn would
    TaskGroup            _task_group: asyncio's own group, in which that task is created
    EventWrapper         base of `ReadGate`; set, wait: overridden or called
    ASGIHTTPState        REQUEST, RESPONSE: how far a response has come
    suppress_body        tells that a response has no body: to HEAD, and with some statuses
    Closed, RawData      events between a connection and its protocol; Event: their base
    Request, Response    events between a protocol and a stream, like StreamClosed; Event: their base
    Config               response_headers: overridden, so that responses of one second share a date

`install` checks all of them. If one is missing, or the version is not the tested one, `serve` uses Hypercorn unchanged:
downloads are slower, and correct.
"""
