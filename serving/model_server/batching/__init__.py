"""Requests that are computed together: parameters, queues, the threads that run the batches.

`servable` is what the rest of the server sees. A request becomes a `Task` in the `BatchQueue` of
its version and signature; `scheduler` has the threads that take batches from all queues in turn;
`merging` is the arithmetic on arrays; `runner` asks the model and hands out the answers.
"""
