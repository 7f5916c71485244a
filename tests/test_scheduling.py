"""What the Snakefile takes for granted of Snakemake's scheduler, to see when it changes."""

import inspect

from snakemake.cli import get_argument_parser
from snakemake.scheduling import job_scheduler
from snakemake.settings.types import MaxJobsPerTimespan


def test_the_limit_that_is_lifted_is_still_snakemakes_own():
    limit = get_argument_parser().get_default("max_jobs_per_timespan")
    limit = MaxJobsPerTimespan.parse_choice(limit)
    limiter = job_scheduler.JobRateLimiter(limit)
    assert (limiter.max_jobs, limiter.timespan) == (100, 1)
    assert "self.job_rate_limiter is None" in inspect.getsource(job_scheduler.JobScheduler)
