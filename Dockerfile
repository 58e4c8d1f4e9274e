# A CPU image: docker build -t estimate-properties . && docker run --rm -v "$PWD:/data" estimate-properties run water.yaml
FROM python:3.11-slim
COPY pyproject.toml README.md LICENSE /source/
COPY protocols /source/protocols
COPY workflow_backends /source/workflow_backends
RUN pip install --no-cache-dir "/source[gaff,report]" && rm -r /source
WORKDIR /data
ENTRYPOINT ["estimate-properties"]
