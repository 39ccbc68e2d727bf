"""How many threads arithmetic on a CPU uses: sums differ in their last digits with other numbers of them."""


def limit_threads(threads: int | None) -> None:
    """Let torch and the linear algebra of NumPy use this many threads; None leaves it to the libraries."""
    if threads is None:
        return
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
