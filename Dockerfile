# A CPU image: docker build -t estimate-properties . && docker run --rm -v "$PWD:/data" estimate-properties run water.yaml
FROM python:3.11-slim
COPY . /source
RUN pip install --no-cache-dir "/source[gaff,report]" && rm -r /source
WORKDIR /data
ENTRYPOINT ["estimate-properties"]
