# One image for the bridge and the simulator: `docker run IMAGE run --config …`, `… simulate`.
# docs/deployment.md says how it is run; docker-compose.yml does it.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements.build.txt requirements.image.txt ./
# Two environments, so that what builds the wheel is not in the image. Every file has its hash, and
# only wheels are taken: nothing of another package's is run in here.
RUN python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements.build.txt \
    && python3 -m venv --without-pip /opt/kis-bridge \
    && /opt/build/bin/python -m pip --python /opt/kis-bridge/bin/python install --no-cache-dir \
        --require-hashes --only-binary :all: -r requirements.image.txt
COPY pyproject.toml README.md LICENSE ./
COPY bridge ./bridge
RUN /opt/build/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
        --wheel-dir /opt/wheels . \
    && /opt/build/bin/python -m pip --python /opt/kis-bridge/bin/python install --no-cache-dir \
        --no-index --no-deps /opt/wheels/*.whl

FROM ${PYTHON_IMAGE}
# By number, so that a mounted file can be given to it (chown 10001:10001) and an orchestrator sees
# that it is not root.
RUN groupadd --system --gid 10001 bridge \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/kis-bridge --no-create-home \
        --shell /usr/sbin/nologin bridge \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/kis-bridge
COPY --from=build /opt/kis-bridge /opt/kis-bridge
# HOME, because `kis.state_dir` is below it unless the configuration says otherwise: nothing but this
# folder is written, and the rest of the image may be read-only.
ENV PATH=/opt/kis-bridge/bin:$PATH \
    HOME=/var/lib/kis-bridge \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/kis-bridge
VOLUME /var/lib/kis-bridge
# The program is PID 1 and leaves on SIGTERM by itself, within ten seconds: no init is needed.
STOPSIGNAL SIGTERM
# Whether the event loop still answers; 50 ms of work. The simulator has no such page: its service in
# docker-compose.yml asks otherwise.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "bridge.dashboard.alive"]
ENTRYPOINT ["kis-bridge"]
CMD ["run"]
